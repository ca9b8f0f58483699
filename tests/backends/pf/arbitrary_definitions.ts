/** Definitions of networks of every kind, that fit beside one another. */
import fc from "fast-check";
import { formatAddress, rangeOf, subnetOf } from "../../../core/address.ts";
import { XML_TEXTS } from "../../support/arbitrary.ts";
import { address } from "../../support/definitions.ts";
import { publishAttributes, PUBLISHED } from "./arbitrary_ports.ts";
import { publishing } from "./scene.ts";

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
  return [
    addresses === 0 ? "" : `<address start='${start}' end='${end}'/>`,
    ports === "" ? "" : `<port start='${first}' end='${last}'/>`,
  ].join("");
});

/** Somewhere in a block of 256 addresses; whether the host has the last one that it can have. */
const PLOTS = fc.record({
  prefix: fc.constantFrom(24, 24, 25, 28, 30),
  at: fc.nat({ max: 255 }),
  isLast: fc.boolean(),
});

/** What a definition is made of. */
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

/** Blocks of networks are next to one another, so that what ends a bit too late is seen. */
export function definitionOf(
  { name, bridge, plots, ...shape }: Shape,
  index: number,
  filterLocal: boolean,
): string {
  const block = (number: number): string => `10.0.${5 * index + number}.0`;
  const links = plots.map(({ prefix, at, isLast }, number) => {
    const { start, end } = rangeOf(
      subnetOf(address(block(number).replace(/0$/, `${at}`)), prefix),
    );
    const host = { ...start, value: isLast ? end.value - 1n : start.value + 1n };
    const guest = { ...start, value: start.value + (isLast ? 1n : 2n) };
    return { host: formatAddress(host), prefix, guest: formatAddress(guest) };
  });
  const [first] = links;
  const mode = first === undefined ? "isolated" : shape.mode;
  const routes = first === undefined
    ? []
    : shape.routes.map((prefix, number) =>
      `<route address='${block(3 + number)}' prefix='${prefix}' gateway='${first.host}'/>`
    );
  const behind = routes.map((_, number) =>
    block(3 + number).replace(/0$/, shape.routes[number] === 32 ? "0" : "9")
  );
  const guests = [...links.map(({ guest }) => guest), ...behind];
  const published = first === undefined
    ? []
    : shape.published.map((one, number) =>
      publishAttributes(one, 1000 + 100 * (2 * index + number), {
        host: first.host,
        guests,
        filterLocal,
      })
    );
  const device = mode === "isolated" ? "" : shape.device;
  const nat = mode === "nat" ? `<nat>${shape.nat}</nat>` : "";
  const definition = [
    `<network${shape.ipv6 ? " ipv6='yes'" : ""}><name>${escaped(name)}</name>`,
    `<bridge name='${bridge}'/>`,
    mode === "isolated" ? "" : `<forward mode='${mode}'${device}>${nat}</forward>`,
    ...links.map(({ host, prefix }) => `<ip address='${host}' prefix='${prefix}'/>`),
    ...routes,
    "</network>",
  ].join("");
  return published.length === 0 ? definition : publishing(definition, ...published);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
