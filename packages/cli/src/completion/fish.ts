import { sharedByAll, singleQuoted, spellings, type Completion, type CompletionFlag } from './completion.ts';

/** For fish's `complete`: a file in ~/.config/fish/completions, or read by source. */
export function fishScript(completion: Completion): string {
  const { commands } = completion;
  const shared = sharedByAll(completion);
  const lines = commands.flatMap(({ name, summary, flags, values, runs }) => {
    const seen = `-n ${singleQuoted(`__devenv_verb_is ${name}`)}`;
    const own = flags.filter((flag) => !shared.some((other) => other.name === flag.name));
    return [
      `complete -c devenv -n '__devenv_verb_is ""' -a ${name} -d ${singleQuoted(summary)}`,
      ...own.map((flag) => `complete -c devenv ${seen} ${flagWords(flag)}`),
      ...(values.length > 0 ? [`complete -c devenv ${seen} -a ${singleQuoted(values.join(' '))}`] : []),
      ...(runs ? [`complete -c devenv ${seen} -F`] : []),
    ];
  });
  return [verbIs(shared), 'complete -c devenv -f', ...shared.map((flag) => `complete -c devenv ${flagWords(flag)}`), ...lines].join('\n');
}

/** fish's own test for a subcommand takes the value of a flag for one. */
function verbIs(shared: readonly CompletionFlag[]): string {
  const valued = shared.filter(({ takes }) => takes !== undefined).flatMap(spellings);
  return `# fish completion of devenv
function __devenv_verb_is
    set -l verb
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case ${valued.join(' ')}
                set skip 1
            case '-*'
            case '*'
                set verb $word
                break
        end
    end
    test "$verb" = "$argv[1]"
end`;
}

function flagWords({ name, letter, summary, takes }: CompletionFlag): string {
  const action =
    takes === undefined
      ? ''
      : takes === 'text'
        ? ' -x'
        : takes === 'file'
          ? ' -rF'
          : takes === 'folder'
            ? " -xa '(__fish_complete_directories)'"
            : ` -xa ${singleQuoted(takes.join(' '))}`;
  return `${letter === undefined ? '' : `-s ${letter} `}-l ${name}${action} -d ${singleQuoted(summary)}`;
}
