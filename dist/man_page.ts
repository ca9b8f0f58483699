/** `deno task man`: the manual page `dist/bridgewall.8`, from the one command table. */
import {
  type CommandEntry,
  COMMANDS,
  EXIT_CODES,
  GLOBAL_OPTIONS,
  type OptionEntry,
} from "../core/cli/command_table.ts";
import { VERSION } from "../core/version.ts";
import { DIST, sourceDate } from "./bundle.ts";

const FILES: readonly (readonly [path: string, what: string])[] = [
  [
    "/etc/bridgewall/bridgewall.conf",
    "the configuration: firewall_backend, table, anchor, sysctl, wait",
  ],
  ["/etc/bridgewall/networks/NAME.xml", "definitions that are known by their name"],
  ["/run/bridgewall", "records of what is active"],
  ["/var/cache/bridgewall", "what Deno keeps where it starts the program; may be removed"],
];

/** The page in the language of man(7). */
export function manPage(seconds: number): string {
  const date = new Date(seconds * 1000).toISOString().slice(0, 10);
  return [
    `.TH BRIDGEWALL 8 ${date} "bridgewall ${VERSION}" "System Administration"`,
    ".SH NAME",
    "bridgewall \\- the firewall of a host's virtual networks",
    ".SH SYNOPSIS",
    ".B bridgewall",
    "\\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fINETWORK\\fR...]",
    ".SH DESCRIPTION",
    ...paragraph(
      "Reads the <network> definitions that users of libvirt have, decides what guests may exchange " +
        "with the host, the outside and the other networks, and makes that true through nftables, " +
        "iptables, firewalld or pf. Every change is recorded, so that exactly that change can be taken " +
        "back. A command that is interrupted is put right by the next one.",
    ),
    ".SH COMMANDS",
    ...COMMANDS.flatMap(commandLines),
    ".SH OPTIONS",
    "All commands take these.",
    ...GLOBAL_OPTIONS.flatMap(optionLines),
    ".SH EXIT STATUS",
    ...EXIT_CODES.flatMap(([code, meaning]) => tagged(String(code), meaning)),
    ".SH ENVIRONMENT",
    ...tagged(bold("NO_COLOR"), "print without colour, whatever it holds"),
    ".SH FILES",
    ...FILES.flatMap(([path, what]) => tagged(italic(path), what)),
    "On FreeBSD they are below /usr/local/etc and /var/run.",
    ".SH SEE ALSO",
    "\\fBnft\\fR(8), \\fBiptables\\fR(8), \\fBfirewalld\\fR(1), \\fBvirsh\\fR(1)",
    "",
  ].join("\n");
}

function commandLines(
  { name, operands, summary, details, options, examples }: CommandEntry,
): readonly string[] {
  return [
    `.SS ${["bridgewall", name, operands].map(escaped).join(" ").trim()}`,
    ...paragraph(sentence(summary)),
    ...details.flatMap((text) => [".PP", ...paragraph(text)]),
    ...options.flatMap(optionLines),
    ".PP",
    ".nf",
    ".RS",
    ...examples.map((line) => paragraph(line).join("")),
    ".RE",
    ".fi",
  ];
}

function optionLines({ name, value, help }: OptionEntry): readonly string[] {
  return tagged(bold(`--${name}`) + (value === undefined ? "" : ` ${italic(value)}`), help);
}

/** A term, and what it is in a sentence. */
function tagged(term: string, text: string): readonly string[] {
  return [".TP", term, ...paragraph(sentence(text))];
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

const bold = (text: string): string => `\\fB${escaped(text)}\\fR`;
const italic = (text: string): string => `\\fI${escaped(text)}\\fR`;

/** One line, which is none of a request; what stands between backquotes is bold. */
function paragraph(text: string): readonly string[] {
  const line = escaped(text).replaceAll(/`([^`]*)`/g, "\\fB$1\\fR");
  return [/^[.']/.test(line) ? `\\&${line}` : line];
}

/** A dash that is typed is not one that joins words. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha");
}

if (import.meta.main) {
  await Deno.writeTextFile(`${DIST}bridgewall.8`, manPage(await sourceDate()));
  await Deno.stdout.write(new TextEncoder().encode("dist/bridgewall.8\n"));
}
