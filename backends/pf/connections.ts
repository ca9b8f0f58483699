/** What ends the connections of a network's guests: a load leaves the states of pf as they are. */
import { formatSubnet } from "../../core/address.ts";
import type { Step } from "../../core/change/change.ts";
import type { Command } from "../../core/command.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { kindOfAnchor } from "./anchor_path.ts";
import { GUESTS_IN } from "./bridge_rules.ts";
import { liveTranslation, printedTranslation } from "./listing.ts";
import { publishedLabel } from "./published.ts";
import { labelOfRedirection } from "./published_listing.ts";
import type { Anchor } from "./rules.ts";

/**
 * The steps that do it: states let packets pass that the rules would stop by now.
 *
 * @param isNew True when none of our rules can have made a state.
 */
export function endingSteps(
  name: string,
  policy: FilteredPolicy,
  isNew: boolean,
): readonly Step[] {
  return [...endingGuests(name, policy), ...(isNew ? [] : endingPublished(policy))]
    .map((command) => endingStep(policy, command));
}

function endingStep(policy: FilteredPolicy, command: Command): Step {
  const network = quoted(policy.network);
  return {
    purpose: `end the connections of network ${network}`,
    command,
    optional: { loss: `Connections of network ${network} may go on that the rules do not allow` },
  };
}

/**
 * Ends all that guests have going: what they began, what others began, and what our rules let others begin.
 *
 * The state of a connection on another interface, where its source is translated, is found by `-M` alone
 * (pfctl(8), FreeBSD 13.1). pfctl of FreeBSD 15.0 confuses two hosts and then finds none, so what others
 * began before there were rules goes on there until it ends. Where its destination is translated, it is
 * found by the label of the rule that let it in.
 *
 * A guest of another network was let in by a rule of that network: the state on its bridge stays, and
 * sends packets to where nothing lets them through.
 *
 * @param name What labels of the network's rules begin with.
 */
export function endingCommands(name: string, policy: FilteredPolicy): readonly Command[] {
  return [...endingGuests(name, policy), ...endingPublished(policy)];
}

function endingGuests(name: string, { families }: FilteredPolicy): readonly Command[] {
  return families.flatMap(({ subnets, forwarding }) => [
    ...subnets.map(formatSubnet).flatMap((subnet) => [
      end("-M", "-k", subnet),
      end("-M", "-k", "0.0.0.0/0", "-k", subnet),
    ]),
    ...(forwarding.direction === "both" ? [endLabelled(`${name} ${GUESTS_IN}`)] : []),
  ]);
}

function endingPublished(policy: FilteredPolicy): readonly Command[] {
  return publishedLabels(policy).map(endLabelled);
}

function end(...args: readonly string[]): Command {
  return { program: "pfctl", args };
}

function endLabelled(label: string): Command {
  return end("-k", "label", "-k", label);
}

function publishedLabels({ families }: FilteredPolicy): readonly string[] {
  return [...new Set(families.flatMap(({ published }) => published).map(publishedLabel))];
}

/**
 * Ends the connections by a port of the host that does not lead to a guest any more, although another one
 * still leads there. Where none does, the way back that was recorded ends them.
 */
export function strayEndings(
  policy: FilteredPolicy,
  anchors: readonly Anchor[],
  answers: Answers,
): readonly Step[] {
  const labels = new Set(
    anchors.filter(({ path }) => kindOfAnchor(path) === "redirections")
      .flatMap(({ path, translation }) => {
        const wanted = new Set(translation.map(printedTranslation));
        return liveTranslation(path, answers).filter((line) => !wanted.has(line));
      }).flatMap((line) => labelOfRedirection(line) ?? []),
  );
  return publishedLabels(policy).filter((label) => labels.has(label))
    .map((label) => endingStep(policy, endLabelled(label)));
}
