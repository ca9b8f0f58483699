/** What of FreeBSD the port needs, as far as it needs it: the ports tree, Deno's package, and rc.subr(8). */

/**
 * `bsd.port.mk`: builds and installs from the distfile in ${WORK} into ${WORK}/stage. As there, executables
 * are stripped and manual pages compressed, and the directories of the base layout are made before.
 */
export const BSD_PORT_MK = `PREFIX=	/usr/local
LOCALBASE=	\${WORK}/local
ETCDIR=	\${PREFIX}/etc/\${PORTNAME}
EXAMPLESDIR=	\${PREFIX}/share/examples/\${PORTNAME}
FILESDIR=	\${.CURDIR}/files
WRKDIR=	\${WORK}/work
WRKSRC=	\${WRKDIR}/\${DISTNAME}
STAGEDIR=	\${WORK}/stage
STRIP?=	-s
CAT=	cat
MKDIR=	mkdir -p
SETENV=	env
INSTALL_PROGRAM=	install \${STRIP} -m 555
INSTALL_DATA=	install -m 644
INSTALL_MAN=	install -m 444

stage: before do-build do-install do-install-EXAMPLES-on after

before:
	mkdir -p \${WRKDIR}
.for directory in sbin etc/rc.d share/man/man8
	mkdir -p \${STAGEDIR}\${PREFIX}/\${directory}
.endfor
	tar -xzf \${WORK}/\${DISTNAME}.tar.gz -C \${WRKDIR}
	test -f \${LICENSE_FILE_MIT}

after:
	gzip \${STAGEDIR}\${PREFIX}/share/man/man8/*
	sed 's,%%PREFIX%%,\${PREFIX},g' \${FILESDIR}/\${USE_RC_SUBR}.in \\
		> \${STAGEDIR}\${PREFIX}/etc/rc.d/\${USE_RC_SUBR}
`;

/** A `deno` that compiles nothing: it writes down what it is told, and a copy of the bundle as the binary. */
export function standInDeno(record: string): string {
  return `#!/bin/sh
set -eu
printf '%s\\n' "DENO_DIR=$DENO_DIR" "$@" > ${record}
while [ "$1" != --output ]; do shift; done
cp "$3" "$2"
`;
}

/**
 * `rc.subr`: what a setting in the file that RC_CONF names enables, runs. All but `status` wants that, or the
 * prefix \`one\`. Who names a process would have it looked for.
 */
export const RC_SUBR = `load_rc_config() { . "$RC_CONF"; }
run_rc_command() {
  [ -z "\${command-}\${procname-}\${pidfile-}" ] || { echo 'looks for a process' >&2; return 1; }
  action=\${1#one}
  case " start stop restart \${status_cmd:+status} $extra_commands " in
    *" $action "*) ;;
    *) echo "unknown directive $1" >&2; return 1 ;;
  esac
  eval "enabled=\\$$rcvar"
  case $1:$enabled in
    status:* | one*:* | *:[Yy][Ee][Ss]) ;;
    *) echo "Cannot '$1' $name. Set $rcvar to YES"; return 0 ;;
  esac
  if [ "$action" = restart ]; then
    (run_rc_command "\${1%restart}stop")
    run_rc_command "\${1%restart}start"
    return
  fi
  eval "run=\\$\${action}_cmd"
  eval "$run" || return 1
}
`;

/** A program that only writes down, one line each time, how it is called; its status is that in STATUS. */
export function standInProgram(record: string): string {
  return `#!/bin/sh
echo "$*" >> ${record}
exit "\${STATUS:-0}"
`;
}
