/** A long day, in which a seed decides what happens: what the program says of it is true all the time. */
import { assert, assertEquals } from "@std/assert";
import { chooseVariant, makeBuiltInTables } from "./iptables_variant.ts";
import { IPTABLES_NFT } from "./backends.ts";
import { type Event, NETWORKS, NOTHING, openDay, randomNumbers, type Wanted } from "./day.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { makeHost } from "./topology.ts";

const EVENTS = 500;

/** Always the same day, but for the moments at which commands are killed; `BRIDGEWALL_DAY` is another. */
const SEED = 2026;

/** What `status --json` tells, as far as it is compared. */
interface Status {
  readonly networks: readonly {
    readonly name: string;
    readonly backend: string;
    readonly published: readonly {
      readonly protocol: string;
      readonly port: string;
      readonly to: string;
    }[];
  }[];
  readonly masquerade: readonly { readonly prefix: string }[];
}

function stateOf(json: string): Wanted {
  const { networks, masquerade }: Status = JSON.parse(json);
  return {
    networks: new Map(networks.map(({ name, backend, published }) => [name, {
      backend,
      ports: published.map(({ protocol, port, to }) => `${port}:${to}/${protocol}`).sort(),
    }])),
    prefixes: masquerade.map(({ prefix }) => prefix).sort(),
  };
}

function isEqual(one: Wanted, other: Wanted): boolean {
  const text = ({ networks, prefixes }: Wanted): string =>
    JSON.stringify([[...networks].toSorted(([a], [b]) => a < b ? -1 : 1), prefixes]);
  return text(one) === text(other);
}

hostTest({
  name:
    "whatever happens in a day, check and status tell what is so, and nothing is left at its end",
  tools: [...IPTABLES_NFT.tools, "conntrack"],
  body: async () => {
    const seed = Number(Deno.env.get("BRIDGEWALL_DAY") ?? SEED);
    await using place = await makeHost(NETWORKS);
    const directory = await Deno.makeTempDir({ prefix: "bridgewall-day-" });
    place.atEnd.defer(() => Deno.remove(directory, { recursive: true }));
    const onHost = await chooseVariant(directory, "nft");
    const day = await openDay(place.host, directory, randomNumbers(seed), onHost);
    await makeBuiltInTables(place.host, IPTABLES_NFT);
    const before = await linesOf(place.host);
    const happened: string[] = [];
    let wanted = NOTHING;
    let damage: Event["damages"] = "none";
    try {
      for (let count = 0; count < EVENTS; count++) {
        const event = day.next(wanted);
        happened.push(event.says);
        await event.happen();
        if (event.says.startsWith("kill")) {
          // The next command puts right what is left, one way or the other.
          await day.program(["reload"]);
          const found = stateOf(await day.program(["status", "--json"]));
          const moved = withBackends(event.after ?? wanted, found);
          assert(
            isEqual(found, withBackends(wanted, found)) || isEqual(found, moved),
            "neither as before nor as wanted",
          );
          wanted = found;
          damage = "none";
        } else {
          wanted = event.after ?? wanted;
          damage = damageAfter(damage, event, wanted);
        }
        const check = await day.program(["check", "--json"], [0, 3]);
        const { drift }: { readonly drift: readonly unknown[] } = JSON.parse(check);
        if (damage === "none") assertEquals(drift, []);
        if (damage === "all") assert(drift.length > 0, "nobody noticed");
        if (damage === "some") damage = drift.length === 0 ? "none" : "some";
        const found = stateOf(await day.program(["status", "--json"]));
        assert(isEqual(found, wanted), `${shown(found)} instead of ${shown(wanted)}`);
      }
      await day.program(["reload"]);
      await day.program(["check"]);
      await day.program(["down", "--all"]);
      if (wanted.prefixes.length > 0) {
        await day.program(["masquerade", "remove", ...wanted.prefixes]);
      }
      // A flush takes the built-in chains of iptables as well.
      await makeBuiltInTables(place.host, IPTABLES_NFT);
      assertEquals(await linesOf(place.host), before);
    } catch (error) {
      const last = happened.slice(-12).join("\n");
      throw new Error(`BRIDGEWALL_DAY=${seed}, event ${happened.length}:\n${last}`, {
        cause: error,
      });
    }
  },
});

/** Tables and bridges that were made again are in another order. */
async function linesOf(host: string): Promise<readonly string[]> {
  return (await firewallState(host)).split("\n").toSorted();
}

/** `reload` without a choice takes all to the backend that is preferred. */
function withBackends(wanted: Wanted, found: Wanted): Wanted {
  return {
    ...wanted,
    networks: new Map(
      [...wanted.networks].map(([name, state]) => [name, {
        ...state,
        backend: found.networks.get(name)?.backend ?? state.backend,
      }]),
    ),
  };
}

function damageAfter(
  before: Event["damages"],
  { damages }: Event,
  { networks, prefixes }: Wanted,
): Event["damages"] {
  if (networks.size + prefixes.length === 0) return "none";
  if (damages !== "as before") return damages === "some" && before === "all" ? "all" : damages;
  // A command makes anew what it touches, and where it stumbles all.
  return before === "none" ? "none" : "some";
}

function shown(wanted: Wanted): string {
  return JSON.stringify({ networks: [...wanted.networks], prefixes: wanted.prefixes });
}
