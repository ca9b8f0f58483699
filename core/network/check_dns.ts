/** `<dns>` and `<domain>`: checked, not used. What the host's DNS server answers is not ours. */
import {
  addressAttribute,
  attributeOf,
  decimal,
  filledAttribute,
  partsNamed,
  refuse,
  refuseLineBreaks,
  requiredAddress,
  requiredAttribute,
  tagOf,
  textOf,
  UNSIGNED_INT_MAX,
  yesOrNo,
} from "./element_reader.ts";
import type { Part } from "./element_reader.ts";
import { quoted } from "../quoted.ts";

/**
 * Checks `<dns>`, by the rules of libvirt 11.3 with its later fix against line breaks, which would
 * end up as lines of dnsmasq's configuration.
 *
 * @returns The names of the records in it: `host`, `srv`, `txt`.
 * @throws {NetworkDefinitionError} When it is not valid.
 */
export function checkDns(dns: Part): readonly string[] {
  const enabled = yesOrNo(dns, "enable") ?? true;
  yesOrNo(dns, "forwardPlainNames");
  const checks = { forwarder: checkForwarder, host: checkHost, srv: checkSrv, txt: checkTxt };
  const found: string[] = [];
  for (const [name, check] of Object.entries(checks)) {
    const parts = partsNamed(dns, name);
    const [first] = parts;
    if (first === undefined) continue;
    if (!enabled) {
      refuse(first, `<${name}> has no place in <dns enable='no'>`, `Remove <${name}>`);
    }
    for (const part of parts) check(part);
    if (name !== "forwarder") found.push(name);
  }
  return found;
}

/**
 * Checks `<domain>`.
 *
 * @returns Whether it names one.
 * @throws {NetworkDefinitionError} When it is not valid.
 */
export function checkDomain(domain: Part): boolean {
  refuseLineBreaks(domain, "name");
  const localOnly = yesOrNo(domain, "localOnly");
  if (yesOrNo(domain, "register") === true && localOnly !== true) {
    refuse(domain, "<domain register='yes'> is not localOnly", "Add localOnly='yes'");
  }
  return filledAttribute(domain, "name") !== undefined;
}

function checkForwarder(part: Part): void {
  refuseLineBreaks(part, "domain");
  const address = addressAttribute(part, "addr");
  if (address === undefined && filledAttribute(part, "domain") === undefined) {
    refuse(part, "<forwarder> has neither addr nor domain", "Add addr='192.0.2.53'");
  }
}

function checkHost(part: Part): void {
  requiredAddress(part, "ip", "192.168.100.10");
  const names = partsNamed(part, "hostname");
  if (names.length === 0) refuse(part, "DNS <host> has no <hostname>");
  for (const name of names) {
    const text = textOf(name);
    if (text === "") refuse(name, "<hostname> is empty");
    if (/[\r\n]/.test(text)) refuse(name, `<hostname> ${quoted(text)} contains a line break`);
  }
}

function checkSrv(part: Part): void {
  for (const name of ["service", "protocol", "domain", "target"]) refuseLineBreaks(part, name);
  for (const [name, example] of [["service", "ldap"], ["protocol", "tcp"]] as const) {
    const value = requiredAttribute(part, name, example);
    // The record is one line of words with commas between.
    if (/[\s,]/.test(value)) refuse(part, `<srv> has ${name} ${quoted(value)}, wanted one word`);
  }
  const hasTarget = attributeOf(part, "target") !== undefined;
  for (const [name, least] of [["port", 1], ["priority", 0], ["weight", 0]] as const) {
    const value = decimal(part, name, UNSIGNED_INT_MAX);
    if (value === undefined) continue;
    if (!hasTarget) refuse(part, `<srv> has ${name} but no target`);
    if (value < least || value > 65535) {
      refuse(part, `<srv> has ${name} "${value}", wanted ${least} to 65535`);
    }
  }
}

function checkTxt(part: Part): void {
  const name = requiredAttribute(part, "name", "example");
  for (const attribute of ["name", "value"]) refuseLineBreaks(part, attribute);
  if (/[ ,]/.test(name)) {
    refuse(part, `${tagOf(part)} has name ${quoted(name)}, which contains a space or comma`);
  }
  if (attributeOf(part, "value") === undefined) refuse(part, "<txt> has no value", "Add value=''");
}
