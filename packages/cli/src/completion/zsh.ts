import { sharedByAll, singleQuoted, spellings, type Completion, type CompletionFlag } from './completion.ts';

/** For the completion system of zsh (zshcompsys(1)): as a file `_devenv` in fpath, or read by eval after compinit. */
export function zshScript(completion: Completion): string {
  const { commands } = completion;
  const cases = commands.map(({ name, flags, values, runs }) => {
    const rest = runs ? "'*::command:_normal'" : values.length > 0 ? singleQuoted(`1:value:(${values.join(' ')})`) : '';
    return `        ${name}) _arguments -s${runs ? ' -A "-*"' : ''} ${[...flags.map(specification), help, rest].filter(Boolean).join(' ')} ;;`;
  });
  return `#compdef devenv
_devenv() {
  local curcontext=$curcontext state line ret=1
  typeset -A opt_args
  _arguments -C -s ${[...sharedByAll(completion).map(specification), help].join(' ')} \\
    '1:command:->command' '*::argument:->argument' && ret=0
  case $state in
    command)
      local -a commands=(
${commands.map(({ name, summary }) => `        ${singleQuoted(`${name}:${summary.replaceAll(':', '\\:')}`)}`).join('\n')}
      )
      _describe -t commands command commands && ret=0
      ;;
    argument)
      curcontext=\${curcontext%:*}-$line[1]:
      case $line[1] in
${cases.join('\n')}
      esac && ret=0
      ;;
  esac
  return ret
}
if [[ $funcstack[1] == _devenv ]]; then _devenv "$@"; else compdef _devenv devenv; fi`;
}

const help = "'(-h --help)'{-h,--help}'[show help]'";

/** `'(-C --cwd)'{-C,--cwd}'[summary]:value:action'` */
function specification(flag: CompletionFlag): string {
  const [short, long] = spellings(flag);
  const text = `[${flag.summary.replaceAll(/[[\]\\:]/g, '\\$&')}]${value(flag.takes)}`;
  return long === undefined ? singleQuoted(`${short}${text}`) : `'(${short} ${long})'{${short},${long}}${singleQuoted(text)}`;
}

function value(takes: CompletionFlag['takes']): string {
  if (takes === undefined) return '';
  if (takes === 'text') return ':value: ';
  if (takes === 'file') return ':file:_files';
  if (takes === 'folder') return ':folder:_files -/';
  return `:value:(${takes.join(' ')})`;
}
