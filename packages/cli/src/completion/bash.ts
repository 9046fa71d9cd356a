import { sharedByAll, spellings, type Completion, type CompletionFlag } from './completion.ts';

/** bash 4.4 or newer (Programmable Completion in bash(1)). */
export function bashScript(completion: Completion): string {
  const { commands } = completion;
  const shared = sharedByAll(completion);
  const own = (flags: readonly CompletionFlag[]): readonly CompletionFlag[] =>
    flags.filter((flag) => !shared.some(({ name }) => name === flag.name));
  return `# bash completion of devenv
_devenv() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} verb= flags= values= index=1
  COMPREPLY=()
  # bash takes --flag=value apart.
  if [[ $word == = ]]; then
    word=
  elif [[ $before == = ]]; then
    before=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  while ((index < COMP_CWORD)); do
    case \${COMP_WORDS[index]} in
      ${pattern(shared.filter(takesValue))}) ((index += 2)) ;;
      -*) ((index += 1)) ;;
      *)
        verb=\${COMP_WORDS[index]}
        break
        ;;
    esac
  done
  case $verb in
${commands.map(({ name, flags, values }) => `    ${name}) flags='${names(own(flags))}' values='${values.join(' ')}' ;;`).join('\n')}
  esac
  case $verb in
${commands
  .filter(({ runs }) => runs)
  .map(({ name, flags }) => `    ${name}) _devenv_of_command '${pattern(flags.filter(takesValue))}' $((index + 1)) && return ;;`)
  .join('\n')}
  esac
  case $verb:$before in
${[...shared.flatMap((flag) => valueCase('*', flag)), ...commands.flatMap(({ name, flags }) => own(flags).flatMap((flag) => valueCase(name, flag)))].join('\n')}
  esac
  if [[ $word == -* ]]; then
    flags+=' ${names(shared)} --help'
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
  elif [[ -z $verb ]]; then
    mapfile -t COMPREPLY < <(compgen -W '${[...commands.map(({ name }) => name), 'help'].join(' ')}' -- "$word")
  elif [[ -n $values ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
  fi
}

# Whether the word to complete belongs to the command that exec or run starts: after -- or a word that is no flag of ours.
_devenv_of_command() {
  local index=$2
  while ((index < COMP_CWORD)); do
    [[ \${COMP_WORDS[index]} == -- || \${COMP_WORDS[index]} != -* ]] && return 0
    if [[ "|$1|" == *"|\${COMP_WORDS[index]}|"* ]]; then ((index += 1)); fi
    ((index += 1))
  done
  return 1
}

complete -o bashdefault -o default -F _devenv devenv`;
}

function valueCase(verb: string, flag: CompletionFlag): readonly string[] {
  if (flag.takes === undefined) return [];
  const patterns = spellings(flag).map((spelling) => `${verb}:${spelling}`);
  return [`    ${patterns.join(' | ')})\n      ${valueAction(flag.takes)}\n      return\n      ;;`];
}

function valueAction(takes: NonNullable<CompletionFlag['takes']>): string {
  if (takes === 'text') return ':';
  if (takes === 'file' || takes === 'folder')
    return `compopt -o filenames; mapfile -t COMPREPLY < <(compgen -${takes === 'file' ? 'f' : 'd'} -- "$word")`;
  return `mapfile -t COMPREPLY < <(compgen -W '${takes.join(' ')}' -- "$word")`;
}

function takesValue({ takes }: CompletionFlag): boolean {
  return takes !== undefined;
}

function pattern(flags: readonly CompletionFlag[]): string {
  return flags.flatMap(spellings).join('|');
}

function names(flags: readonly CompletionFlag[]): string {
  return flags.map(({ name }) => `--${name}`).join(' ');
}
