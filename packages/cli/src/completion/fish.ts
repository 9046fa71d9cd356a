import { sharedByAll, singleQuoted, type Completion, type CompletionFlag } from './completion.ts';

/** For fish's `complete`: a file in ~/.config/fish/completions, or read by source. */
export function fishScript(completion: Completion): string {
  const { commands } = completion;
  const shared = sharedByAll(completion);
  const lines = commands.flatMap(({ name, summary, flags, values, runs }) => {
    const seen = `-n ${singleQuoted(`__fish_seen_subcommand_from ${name}`)}`;
    const own = flags.filter((flag) => !shared.some((other) => other.name === flag.name));
    return [
      `complete -c devenv -n __fish_use_subcommand -a ${name} -d ${singleQuoted(summary)}`,
      ...own.map((flag) => `complete -c devenv ${seen} ${flagWords(flag)}`),
      ...(values.length > 0 ? [`complete -c devenv ${seen} -a ${singleQuoted(values.join(' '))}`] : []),
      ...(runs ? [`complete -c devenv ${seen} -F`] : []),
    ];
  });
  return [
    '# fish completion of devenv',
    'complete -c devenv -f',
    ...shared.map((flag) => `complete -c devenv ${flagWords(flag)}`),
    ...lines,
  ].join('\n');
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
