/** libvirt makes bridge, DHCP and DNS of a network in mode open, our hook its firewall. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { attachGuest } from "./attach_guest.ts";
import { IPTABLES_NFT, NFTABLES } from "./backends.ts";
import { type Claim, passedAs, prove, REFUSED } from "./claims.ts";
import { type Libvirt, startLibvirt } from "./libvirt_host.ts";
import { ANSWERING_PORT, type Place } from "./namespace.ts";
import { answers } from "./private_bus.ts";
import { hostTest } from "./requirements.ts";
import { flushEverything } from "./iptables_variant.ts";
import { definition, type TestNetwork, testNetwork } from "./test_network.ts";
import { addPlace, makeTopology, place, type Topology } from "./topology.ts";

const NAT = testNetwork(131, "lvnat", { forward: '<forward mode="nat"/>', dhcp: true });
const LAB = testNetwork(132, "lvlab", { dhcp: true });
const NETWORKS = [NAT, LAB] as const;

/** Whatever virsh is told has to be taken. */
async function told(libvirt: Libvirt, args: readonly string[], stdin?: string): Promise<string> {
  const { code, stdout, stderr } = await libvirt.virsh(args, stdin);
  assertEquals(code, 0, `virsh ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** As a user moves a network to bridgewall: defined as ever, printed by `import`, defined again. */
async function move(libvirt: Libvirt, { name, ...rest }: TestNetwork): Promise<void> {
  await told(libvirt, ["net-define", "/dev/stdin"], definition({ name, ...rest }));
  const moved = await libvirt.bridgewall("import", "libvirt", name);
  await told(libvirt, ["net-define", "/dev/stdin"], moved);
  await told(libvirt, ["net-start", name]);
}

/** libvirt's bridges speak STP, so each cable has to wait for some seconds. */
async function plugIn(topology: Topology, network: TestNetwork): Promise<readonly Place[]> {
  const places = await Promise.all(
    Object.entries(network.guests).map(async ([name, addresses]) => {
      const namespace = await addPlace(topology.atEnd, name, [ANSWERING_PORT]);
      await attachGuest(topology.host, network, namespace, addresses);
      return place(namespace, addresses);
    }),
  );
  const isOpen = (listing: string): boolean =>
    (JSON.parse(listing) as readonly { readonly state: string }[]).every(({ state }) =>
      state === "forwarding"
    );
  if (!await answers(topology.host, ["bridge", "-j", "link"], isOpen)) {
    throw new Error(`nothing passes the bridge of ${network.name}`);
  }
  return places;
}

type Guests = readonly Place[];

function claims(
  { uplink: { outside, host4 } }: Topology,
  [[a, b], [lab]]: readonly [Guests, Guests],
): readonly Claim[] {
  if (a === undefined || b === undefined || lab === undefined) {
    throw new Error("guests are missing");
  }
  const over = "v4" as const;
  return [
    { says: "nat: out as the host", from: a, to: outside, over, expect: passedAs(host4) },
    { says: "nat: not in", from: outside, to: a, over, expect: REFUSED },
    { says: "nat: guest to guest", from: a, to: b, over, expect: passedAs(a.v4) },
    { says: "nat: out over IPv6", from: a, to: outside, over: "v6", expect: passedAs(a.v6) },
    { says: "isolated: not out", from: lab, to: outside, over, expect: REFUSED },
    { says: "isolated: not to another", from: lab, to: a, over, expect: REFUSED },
    { says: "isolated: not in from another", from: a, to: lab, over, expect: REFUSED },
  ];
}

// libvirt has no part in what differs between the others.
for (const backend of [NFTABLES, IPTABLES_NFT]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: a network that libvirt starts in mode open has the firewall that it asks for`,
    tools: [...tools, "libvirtd", "virsh", "dnsmasq", "unshare", "nsenter"],
    body: async (t) => {
      await using topology = await makeTopology([]);
      const libvirt = await startLibvirt(topology, backend);
      for (const network of NETWORKS) await move(libvirt, network);
      assertStringIncludes(await libvirt.bridgewall("import", "libvirt"), "bridgewall\n");
      const guests = [await plugIn(topology, NAT), await plugIn(topology, LAB)] as const;
      await prove(t, claims(topology, guests));

      await t.step("a restart of libvirtd keeps it", async () => {
        await libvirt.restart();
        await libvirt.bridgewall("check");
      });
      await t.step("and brings it back where somebody flushed it", async () => {
        await flushEverything(topology.host, backend);
        await libvirt.restart();
        await libvirt.bridgewall("check");
      });
      await prove(t, claims(topology, guests).map((one) => ({ ...one, says: `then ${one.says}` })));

      await t.step("a change by virsh net-update is no moment without it", async () => {
        const host = '<host mac="52:54:00:00:00:01" ip="192.168.131.77"/>';
        const change = ["net-update", NAT.name, "add-last", "ip-dhcp-host", host, "--live"];
        await told(libvirt, change);
        await libvirt.bridgewall("check");
      });
      await t.step("a network that cannot have it does not start, and leaves nothing", async () => {
        const taken = definition({ ...NAT, name: "third", bridge: "br133", forward: "" });
        await told(libvirt, ["net-define", "/dev/stdin"], taken);
        const moved = (await libvirt.bridgewall("import", "libvirt", "third"))
          .replace("</bridgewall:network>", "<bridgewall:other/></bridgewall:network>");
        await told(libvirt, ["net-define", "/dev/stdin"], moved);
        const { code, stderr } = await libvirt.virsh(["net-start", "third"]);
        assertEquals(code, 1);
        assertStringIncludes(stderr, 'Element "bridgewall:other" is unknown');
        assertEquals((await libvirt.sees("ip", "-br", "link")).includes("br133"), false);
      });
      await t.step("when libvirt stops the networks nothing of it is left", async () => {
        for (const network of NETWORKS) await told(libvirt, ["net-destroy", network.name]);
        assertEquals(JSON.parse(await libvirt.bridgewall("status", "--json")).networks, []);
        assertEquals((await libvirt.sees("nft", "list", "ruleset")).includes("bridgewall"), false);
      });
    },
  });
}
