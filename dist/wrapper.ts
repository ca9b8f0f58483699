/** The script that starts the bundle. */
import { shellWord } from "../core/shell_word.ts";
import { VERSION } from "../core/version.ts";
import { permissionFlags, RUN_FLAGS, type System } from "./launch_flags.ts";

/**
 * A script for sh(1), to stand beside `bridgewall.js`; a link to it may stand in PATH. It is run by the `deno`
 * beside it, else by that of the system, and reads nothing of the caller's directories.
 */
export function wrapperText(system: System): string {
  const flags = [...RUN_FLAGS, ...permissionFlags(system)].map((flag) =>
    `  ${shellWord(flag)} \\\n`
  );
  return `#!/bin/sh
# Starts bridgewall ${VERSION}, which stands beside this file.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
self=$0
case $self in */*) ;; *) self=./$self ;; esac
[ ! -L "$self" ] || self=$(readlink -f -- "$self")
here=\${self%/*}
for deno in "$here/deno" /usr/bin/deno /usr/local/bin/deno; do
  [ ! -x "$deno" ] || break
done
if [ ! -x "$deno" ]; then
  echo "error: deno is neither in $here nor in /usr/bin nor in /usr/local/bin" >&2
  exit 1
fi
# Where Deno can keep nothing it tries for 45 ms. It keeps no code there.
cache=/var/cache/bridgewall
[ -w /var/cache ] || cache=\${HOME:-/nonexistent}/.cache/bridgewall
# Of the caller's environment nothing else gets through: Deno takes orders by it. And nobody asks the network
# for a newer Deno.
exec env -i \${NO_COLOR+"NO_COLOR=$NO_COLOR"} DENO_DIR="$cache" DENO_NO_UPDATE_CHECK=1 "$deno" run \\
${flags.join("")}  "$here/bridgewall.js" "$@"
`;
}
