/** What to say when the editor and the server do not fit: they have to be of one version. */
export function differentVersions(editor: string, server: string): string | undefined {
  const plain = (text: string): string => text.replace(/-.*$/, '');
  if (plain(editor) === plain(server)) return undefined;
  return `This editor is of version ${editor}, and its server in the environment of version ${server}: they do not understand each other. devenv code opens an editor that fits.`;
}
