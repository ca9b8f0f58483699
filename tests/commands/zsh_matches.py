"""What zsh offers for each line of standard input, one JSON list a line.

    zsh_matches.py SCRIPT

zsh completes only for somebody at a terminal, so it gets one; every match passes `compadd`.
"""
import json
import os
import pty
import sys
import tempfile
import time

# What is typed before zsh has answered would make of a tab nothing but a tab.
END = "the end"
SETUP = """
PS1=; PS2=; unsetopt zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste
autoload -Uz compinit && compinit -u -D
source %s
asked() { zle complete-word; print -r -- "$END" >> %s }
zle -N asked && bindkey '^I' asked
zstyle ':completion:*' insert-tab false
compadd() {
  if [[ ${@[(I)-(O|A|D)*]} -gt 0 ]]; then builtin compadd "$@"; return; fi
  local -a hits; builtin compadd -A hits "$@"; print -rl -- $hits >> %s; builtin compadd "$@"
}
"""


def main():
    found = tempfile.NamedTemporaryFile(mode="w+")
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="dumb", LC_ALL="C.UTF-8", END=END)
        os.execlp("zsh", "zsh", "-f", "-i")
    rounds = 0

    def settle():
        """Until zsh has done all that it was told."""
        nonlocal rounds
        rounds += 1
        os.write(terminal, f"\x15print done-$(({rounds}+0))-\n".encode())
        seen = b""
        while f"done-{rounds}-".encode() not in seen:
            seen += os.read(terminal, 65536)

    os.write(terminal, (SETUP % (sys.argv[1], found.name, found.name)).encode())
    settle()
    for line in sys.stdin:
        open(found.name, "w").close()
        os.write(terminal, line.rstrip("\n").encode() + b"\t")
        matches = []
        while END not in matches:
            time.sleep(0.005)
            with open(found.name) as told:
                matches = told.read().split("\n")
        settle()
        print(json.dumps([one for one in matches if one not in ("", END)]), flush=True)
    os.write(terminal, b"\x15exit\n")
    os.waitpid(pid, 0)


main()
