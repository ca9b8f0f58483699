/**
 * `deno task picture`: the picture of the README, `dist/docs/picture.svg`: a host with three networks, and
 * what a packet may do. It is drawn from definitions, so that it says what the program does.
 */
import { formatSubnet } from "../core/address.ts";
import type { ForwardMode, Network } from "../core/network/network.ts";
import { NAMESPACE } from "../core/network/own_elements.ts";
import { parseNetwork } from "../core/network/parse_network.ts";
import { formatListener, formatTarget } from "../core/network/published_port.ts";
import { DIST } from "./bundle.ts";

/** One network of each mode that the host filters. */
const DEFINITIONS: readonly string[] = [
  `<network><name>lan</name><forward mode='nat'/><bridge name='virbr0'/>
    <metadata><b:publish xmlns:b='${NAMESPACE}' proto='tcp' port='8080' to='192.168.122.10:80'/></metadata>
    <ip address='192.168.122.1' prefix='24'/></network>`,
  `<network><name>dmz</name><forward mode='route'/><bridge name='virbr1'/>
    <ip address='192.0.2.1' prefix='25'/></network>`,
  `<network><name>lab</name><bridge name='virbr2'/><ip address='10.0.0.1' prefix='24'/></network>`,
];

/** What a packet may do in one direction. */
interface Way {
  readonly passes: "all" | "some" | "none";
  /** Beside the arrow. */
  readonly says: string;
}

/** Both ways of a network: to the outside, and from there. */
function waysOf({ forward: { mode }, published }: Network): readonly [out: Way, back: Way] {
  const ports = published.map((port) => `${formatListener(port)} → ${formatTarget(port)}`);
  switch (mode) {
    case "nat":
      return [
        { passes: "all", says: "as the host's address" },
        { passes: "some", says: ["replies", ...ports].join(", ") },
      ];
    case "route":
      return [{ passes: "all", says: "as it is" }, { passes: "all", says: "as it is" }];
    case "isolated":
      return [{ passes: "none", says: "rejected" }, { passes: "none", says: "rejected" }];
    case "open":
    case "bridge":
    case "private":
    case "vepa":
    case "passthrough":
    case "hostdev":
      throw new Error(`nothing is drawn for mode ${mode satisfies ForwardMode}`);
  }
}

const WIDTH = 880;
const ROW = 130;
const TOP = 58;

/** Both themes of whoever looks; a drawing in an `<img>` gets theirs. */
const STYLE = `
  text { font: 14px system-ui, sans-serif; fill: #1f2328 }
  .small { font-size: 12px; fill: #59636e }
  .name { font-weight: 600 }
  .box { fill: #f6f8fa; stroke: #59636e }
  .bridge, .guest { fill: #ffffff; stroke: #0969da; stroke-width: 1.5 }
  .cable { stroke: #0969da; stroke-width: 1.5 }
  .all { stroke: #1a7f37; fill: none; stroke-width: 2 }
  .some { stroke: #1a7f37; fill: none; stroke-width: 2; stroke-dasharray: 6 4 }
  .none { stroke: #cf222e; fill: none; stroke-width: 2 }
  .tip { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9198a1 }
    .box { fill: #161b22; stroke: #9198a1 }
    .bridge, .guest { fill: #0d1117; stroke: #4493f8 }
    .cable { stroke: #4493f8 }
    .all, .some { stroke: #3fb950 }
    .none { stroke: #f85149 }
    .tip { fill: #3fb950 }
  }`;

/** The whole drawing, as the text of an SVG file. */
export function picture(): string {
  const networks = DEFINITIONS.map((text) => parseNetwork(text, "picture"));
  const height = TOP + networks.length * ROW + 30;
  const bottom = height - 20;
  const lines = [
    `<rect class="box" x="150" y="20" width="400" height="${bottom - 20}" rx="12"/>`,
    text(350, 44, "host", "name", "middle"),
    `<rect class="box" x="760" y="20" width="110" height="${bottom - 20}" rx="12"/>`,
    text(815, 44, "outside", "name", "middle"),
    ...networks.flatMap((network, index) => row(network, TOP + index * ROW)),
    text(
      350,
      bottom - 14,
      "between networks: where the one lets out and the other lets in",
      "small",
      "middle",
    ),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `  <title>A host with the networks ${networks.map(({ name }) => name).join(", ")}</title>`,
    `  <style>${STYLE}\n  </style>`,
    ...lines.map((line) => `  ${line}`),
    "</svg>",
    "",
  ].join("\n");
}

function row(network: Network, top: number): readonly string[] {
  const middle = top + 50;
  const { name, forward: { mode }, bridge, addresses } = network;
  const [out, back] = waysOf(network);
  return [
    ...[middle - 22, middle + 22].flatMap((y) => [
      `<line class="cable" x1="90" y1="${y}" x2="180" y2="${y}"/>`,
      `<rect class="guest" x="20" y="${y - 14}" width="70" height="28" rx="6"/>`,
      text(55, y + 5, "guest", "small", "middle"),
    ]),
    `<rect class="bridge" x="180" y="${middle - 42}" width="340" height="84" rx="8"/>`,
    text(196, middle - 16, `${name}: ${mode}`, "name"),
    text(
      196,
      middle + 6,
      `${bridge.name ?? ""}, ${addresses.map(({ subnet }) => formatSubnet(subnet)).join(", ")}`,
    ),
    text(196, middle + 28, "guests reach one another", "small"),
    ...arrow(520, 760, middle - 18, out),
    ...arrow(760, 520, middle + 24, back),
  ];
}

/** From one side to the other; what is stopped ends on the way, with a cross. */
function arrow(from: number, to: number, y: number, { passes, says }: Way): readonly string[] {
  const step = Math.sign(to - from);
  const end = passes === "none" ? from + step * 60 : to - step * 8;
  const tip = passes === "none"
    ? `<path class="none" d="M${end - 6} ${y - 6}l12 12m0 -12l-12 12"/>`
    : `<path class="tip" d="M${to} ${y}l${-step * 10} -5v10z"/>`;
  const label = passes === "none" ? from + step * 100 : (from + to) / 2;
  return [
    `<line class="${passes}" x1="${from}" y1="${y}" x2="${end}" y2="${y}"/>`,
    tip,
    text(label, y - 7, says, "small", "middle"),
  ];
}

function text(x: number, y: number, words: string, style = "", anchor = "start"): string {
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const name = style === "" ? "" : ` class="${style}"`;
  return `<text${name} x="${x}" y="${y}" text-anchor="${anchor}">${escaped}</text>`;
}

/** Where it stands. */
export const PICTURE: string = `${DIST}docs/picture.svg`;

if (import.meta.main) await Deno.writeTextFile(PICTURE, picture());
