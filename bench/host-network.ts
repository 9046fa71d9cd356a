import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Returns what puts back what Docker and podman change and leave behind: bridges, firewall rules, forwarding. */
export function rememberNetwork(): () => void {
  const forwarding = '/proc/sys/net/ipv4/ip_forward';
  const before = { interfaces: readdirSync('/sys/class/net'), forwarding: readFileSync(forwarding, 'utf8'), rules: tables('save') };
  return () => {
    for (const bridge of ['docker0', 'cni-podman0']) {
      if (!before.interfaces.includes(bridge) && existsSync(`/sys/class/net/${bridge}`)) execFileSync('ip', ['link', 'delete', bridge]);
    }
    writeFileSync(forwarding, before.forwarding);
    // Tables that did not exist are emptied: what was saved does not mention them.
    const emptied = ['filter', 'nat'].filter((table) => !before.rules.includes(`*${table}\n`)).map((table) => `*${table}\nCOMMIT\n`);
    tables('restore', before.rules + emptied.join(''));
  };
}

function tables(verb: 'save' | 'restore', input = ''): string {
  const program = `/usr/sbin/iptables-${verb}`;
  if (!existsSync(program)) return ''; // nor can the peers change them
  return execFileSync(program, { encoding: 'utf8', input });
}
