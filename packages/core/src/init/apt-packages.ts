/** The packages that the text of a RUN installs with apt; none when the text is more than a plain list. */
export function aptPackages(command: string): readonly string[] {
  return command
    .replaceAll(/\\\r?\n/g, ' ')
    .split(/&&|\|\||[;|\n]/)
    .flatMap((part) => {
      const words = part.trim().split(/\s+/);
      const start = words.findIndex((word) => word === 'apt-get' || word === 'apt');
      // Only variables and wrappers may stand before it: `DEBIAN_FRONTEND=noninteractive sudo apt-get …`
      if (start < 0 || words.slice(0, start).some((word) => !/^(?:\w+=\S*|sudo|env|--\S+)$/.test(word))) return [];
      const own = words.slice(start + 1);
      const install = own.indexOf('install');
      if (install < 0 || own.slice(0, install).some((word) => !word.startsWith('-'))) return [];
      const names = own.slice(install + 1).filter((word) => !word.startsWith('-'));
      return names.some((name) => /[$`"'*()<>]/.test(name)) ? [] : names;
    });
}
