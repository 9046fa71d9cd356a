import { expect, test } from 'vitest';
import { outerEditor } from './outer-editor.ts';

test.each([
  ['https://box.example/proxy/{{port}}/', 'https://box.example/proxy/8300/'],
  ['https://{{port}}.box.example', 'https://8300.box.example/'],
])("a port is where the editor's proxy shows it: %s", (template, wanted) => {
  expect(outerEditor({ VSCODE_PROXY_URI: template })?.proxy?.(8300).href).toBe(wanted);
});

test.each([undefined, '', './proxy/{{port}}/', 'https://box.example/', 'javascript:{{port}}'])('%s names no proxy', (template) => {
  expect(outerEditor({ VSCODE_PROXY_URI: template })).toBeUndefined();
  expect(outerEditor({ VSCODE_PROXY_URI: template, VSCODE_IPC_HOOK_CLI: '/run/hook' })).toMatchObject({ proxy: undefined });
});

test("who does not listen any more is told of by an error, which is nobody's end", async () => {
  await expect(outerEditor({ VSCODE_IPC_HOOK_CLI: '/nonexistent/hook' })?.open('http://localhost/')).rejects.toThrow(/ENOENT/);
});
