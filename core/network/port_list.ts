/**
 * `<bridgewall:ports>`: published ports as text, one in a line. So a record holds them: it is read and
 * written with each command, and elements would take several times as long where there are thousands.
 */
import { isElement, type XmlElement } from "@std/xml";
import { quoted } from "../quoted.ts";
import { type Part, refuse, textOf } from "./element_reader.ts";
import { ownElement } from "./own_elements.ts";
import { formatSpec, parseSpec, type PublishedPort, PublishedPortError } from "./published_port.ts";

/** The local name of the element. */
export const PORT_LIST = "ports";

/** What stands behind a port of which it is true. */
const FLAGS = ["localhost", "runtime"] as const;

/** The element for these ports. */
export function portList(published: readonly PublishedPort[]): XmlElement {
  const lines = published.map((port) =>
    [formatSpec(port), ...FLAGS.filter((flag) => port[flag])].join(" ")
  );
  return ownElement(PORT_LIST, {}, [{ type: "text", text: `\n${lines.join("\n")}\n` }]);
}

/**
 * The ports of such an element.
 *
 * @throws {NetworkDefinitionError} When a line is not one.
 */
export function readPortList(part: Part): readonly PublishedPort[] {
  const { element } = part;
  const [name] = [
    ...Object.keys(element.attributes).filter((one) => !/^xmlns(:|$)/.test(one)),
    ...element.children.filter(isElement).map((child) => `<${child.name.raw}>`),
  ];
  if (name !== undefined) {
    refuse(part, `<${element.name.raw}> has ${quoted(name)}, and takes lines of text alone`);
  }
  return textOf(part).split("\n").filter((line) => line.trim() !== "").map((line) => {
    const [spec = "", ...flags] = line.trim().split(/[ \t]+/);
    const unknown = flags.find((word) => !FLAGS.some((flag) => flag === word));
    if (unknown !== undefined) {
      refuse(
        part,
        `${quoted(unknown)} behind ${spec} is unknown`,
        `Write nothing, ${FLAGS.join(" or ")}`,
      );
    }
    try {
      return {
        ...parseSpec(spec, { localhost: flags.includes("localhost") }),
        runtime: flags.includes("runtime"),
      };
    } catch (error) {
      if (!(error instanceof PublishedPortError)) throw error;
      return refuse(part, error.message, error.hint);
    }
  });
}
