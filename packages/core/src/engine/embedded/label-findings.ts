import { unreachable } from '../../base/errors.ts';
import type { SecurityModules } from './security-labels.ts';

interface Finding {
  readonly ok: boolean;
  readonly answer: string;
  readonly fix?: string;
}

/** What `doctor` says of AppArmor. */
export function appArmorFinding({ apparmor }: SecurityModules): Finding {
  switch (apparmor) {
    case 'absent':
      return { ok: true, answer: 'off: containers have no profile of it' };
    case 'loaded':
      return { ok: true, answer: 'containers run under the profile devenv-default' };
    case 'loadable':
      return { ok: true, answer: 'the profile devenv-default is loaded with the first container' };
    case 'no parser':
      return { ok: false, answer: 'on, but its profile cannot be loaded: containers run without', fix: 'apt-get install apparmor' };
    case 'not ours to load':
      return { ok: true, answer: 'on; only root may load a profile, so that containers of a normal user run without' };
    default:
      return unreachable(apparmor);
  }
}

/** What `doctor` says of SELinux; `data`: the engine's data directory. */
export function selinuxFinding({ selinux }: SecurityModules, data: string): Finding {
  switch (selinux.state) {
    case 'absent':
      return { ok: true, answer: 'off: containers have no label of it' };
    case 'usable':
      return {
        ok: true,
        answer: `containers run as ${selinux.process}, with categories of their own; a folder that is mounted needs a label that they may read`,
      };
    case 'no policy':
      return {
        ok: false,
        answer: 'on, but its policy knows no containers: they run without a label',
        fix: 'dnf install container-selinux',
      };
    case 'store unlabelled': {
      const type = selinux.file.split(':')[2]!;
      return {
        ok: false,
        answer: `on, but ${data} is not of type ${type}: containers run without a label`,
        fix: `semanage fcontext -a -t ${type} '${data}(/.*)?' && restorecon -R ${data}; and chcon -R -t ${type} on the workspaces`,
      };
    }
    default:
      return unreachable(selinux);
  }
}
