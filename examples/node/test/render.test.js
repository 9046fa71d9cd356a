import assert from 'node:assert/strict';
import { test } from 'node:test';
import { render } from '../src/render.js';

test('a heading becomes a heading', () => {
  assert.equal(render('# Hello'), '<h1>Hello</h1>\n');
});

test('HTML in the text stays text', () => {
  assert.equal(render('<b>bold</b>'), '<p>&lt;b&gt;bold&lt;/b&gt;</p>\n');
});
