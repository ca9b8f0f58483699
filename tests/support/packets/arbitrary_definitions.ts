/** Definitions of networks of every kind, that fit beside one another. */
import fc from "fast-check";
import {
  bitsOf,
  type Family,
  formatAddress,
  type IpAddress,
  rangeOf,
  subnetOf,
} from "../../../core/address.ts";
import { XML_TEXTS } from "../arbitrary.ts";
import { address } from "../definitions.ts";
import { PUBLISHED, publishElement } from "./arbitrary_ports.ts";

/** Short plain ones, so that anchors come in every order, and such as a definition can hold. */
const NAMES = fc.oneof(
  { weight: 2, arbitrary: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,2}$/) },
  XML_TEXTS.map((text) => text.replace(/[/\r\n]/g, "")).filter((text) => text !== ""),
);

const NATS = fc.record({
  ports: fc.constantFrom("", "1 2", "1 65535", "1023 1024", "40000 40009", "65534 65535"),
  from: fc.integer({ min: 16, max: 100 }),
  addresses: fc.constantFrom(0, 0, 1, 2, 7, 64),
}).map(({ ports, from, addresses }) => {
  const [first, last] = ports.split(" ");
  const start = `203.0.113.${from}`;
  const end = `203.0.113.${from + addresses - 1}`;
  return {
    addresses: addresses === 0 ? "" : `<address start='${start}' end='${end}'/>`,
    ports: ports === "" ? "" : `<port start='${first}' end='${last}'/>`,
  };
});

/** Somewhere in a block of 256 addresses; whether the host has the last one that it can have. */
const PLOTS = fc.record({
  prefix: fc.constantFrom(24, 24, 25, 28, 30),
  at: fc.nat({ max: 255 }),
  isLast: fc.boolean(),
});

/** What a definition is made of. Its numbers are those of IPv4; {@linkcode inFamily} gives IPv6 the same. */
export const SHAPES = fc.record({
  name: NAMES,
  bridge: fc.nat({ max: 30 }).map((number) => `virbr${number}`),
  mode: fc.constantFrom("isolated", "nat", "nat", "route", "route"),
  device: fc.constantFrom("", "", "", " dev='re0'", " dev='em1'"),
  nat: NATS,
  // None now and then.
  plots: fc.tuple(fc.nat({ max: 9 }), fc.array(PLOTS, { minLength: 1, maxLength: 3 }))
    .map(([chance, plots]) => chance === 0 ? [] : plots),
  routes: fc.array(fc.constantFrom(24, 26, 32), { maxLength: 2 }),
  published: fc.array(PUBLISHED, { maxLength: 2 }),
  ipv6: fc.boolean(),
});

/** One of them. */
export type Shape = typeof SHAPES extends fc.Arbitrary<infer S> ? S : never;

/** What the host can do. */
export interface Abilities {
  /** Each shape is written once for each of them. */
  readonly families: readonly Family[];
  /** Whether IPv6 is translated in mode `nat`. */
  readonly natIpv6?: boolean;
  /** Whether 127.0.0.1 can lead to a guest. */
  readonly localhost: boolean;
  /** Whether ports of SCTP are published where the shape says TCP. */
  readonly sctp?: boolean;
}

/** `fd10::`, with the same numbers behind it as IPv4 has. */
const TWIN = 0xfd10n << 112n;

/** The address that has the place of this one in the other family: `fd10::a00:1` for 10.0.0.1. */
export function inFamily({ value }: IpAddress, family: Family): IpAddress {
  const number = value & 0xffffffffn;
  return { family, value: family === "ipv4" ? number : TWIN | number };
}

/** A link of a network, and who is on it. */
interface Link {
  readonly host: IpAddress;
  readonly prefix: number;
  readonly guest: IpAddress;
}

/** Blocks of networks are next to one another, so that what ends a bit too late is seen. */
export function definitionOf(shape: Shape, index: number, abilities: Abilities): string {
  const { name, bridge, plots, ipv6 } = shape;
  const block = (number: number, last = 0): IpAddress =>
    address(`10.0.${5 * index + number}.${last}`);
  const links = plots.map(({ prefix, at, isLast }, number): Link => {
    const { start, end } = rangeOf(subnetOf(block(number, at), prefix));
    const host = { ...start, value: isLast ? end.value - 1n : start.value + 1n };
    return { host, prefix, guest: { ...start, value: start.value + (isLast ? 1n : 2n) } };
  });
  const routes = links.length === 0 ? [] : shape.routes;
  const behind = routes.map((prefix, number) => block(3 + number, prefix === 32 ? 0 : 9));
  const guests = [...links.map(({ guest }) => guest), ...behind];
  const [first] = links;
  const elements = abilities.families.flatMap((family) => [
    ...links.map(({ host, prefix }) => `<ip ${attributes(host, prefix, family)}/>`),
    ...routes.map((prefix, number) => {
      const gateway = formatAddress(inFamily(first?.host ?? block(0), family));
      return `<route ${attributes(block(3 + number), prefix, family)} gateway='${gateway}'/>`;
    }),
  ]);
  const published = shape.published.flatMap((one, number) =>
    first === undefined ? [] : publishElement(one, 1000 + 100 * (2 * index + number), {
      host: first.host,
      guests,
      ...abilities,
    })
  );
  return [
    `<network${ipv6 ? " ipv6='yes'" : ""}><name>${escaped(name)}</name>`,
    published.length === 0 ? "" : `<metadata>${published.join("")}</metadata>`,
    `<bridge name='${bridge}'/>`,
    forwardOf(shape, abilities),
    ...elements,
    "</network>",
  ].join("");
}

function attributes(one: IpAddress, prefix: number, family: Family): string {
  const word = family === "ipv4" ? "" : "family='ipv6' ";
  const bits = prefix + bitsOf(family) - bitsOf(one.family);
  return `${word}address='${formatAddress(inFamily(one, family))}' prefix='${bits}'`;
}

function forwardOf({ mode, plots, device, nat }: Shape, { families, natIpv6 }: Abilities): string {
  if (mode === "isolated" || plots.length === 0) return "";
  if (mode !== "nat") return `<forward mode='${mode}'${device}/>`;
  // A range of addresses is one of IPv4.
  const addresses = families.includes("ipv4") ? nat.addresses : "";
  const both = natIpv6 === true ? " ipv6='yes'" : "";
  return `<forward mode='nat'${device}><nat${both}>${addresses}${nat.ports}</nat></forward>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
