/** What runs inside: `/proc`'s tables of sockets again and again, an empty line after each, as long as somebody reads. */
export const tables = 'while cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; echo; do sleep 2 || exit; done';

/** From here on the kernel gives ports to who asks for none: nobody would look for a server there. */
const firstEphemeral = 32768;

/** The ports that a line of `/proc/net/tcp` says something listens on: none or one. */
export function listeningPort(line: string): number | undefined {
  const [, , port] = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]+:0000 0A /.exec(line) ?? [];
  const number = Number.parseInt(port ?? '', 16);
  return number > 0 && number < firstEphemeral ? number : undefined;
}

/** Reads lines of tables, and calls back with each port that has begun to be listened on; again when it ended in between. */
export function portReader(onOpen: (port: number) => void): (line: string) => void {
  let [known, current] = [new Set<number>(), new Set<number>()];
  return (line) => {
    const port = listeningPort(line);
    if (port !== undefined) {
      if (!known.has(port) && !current.has(port)) onOpen(port);
      current.add(port);
    } else if (line === '') {
      [known, current] = [current, new Set()];
    }
  };
}
