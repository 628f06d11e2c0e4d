import { createRoutes, defaultLimits } from '@nudge/types';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { createOpenApiDocument } from './document.ts';
import { renderDocsPage } from './page.ts';

const document = createOpenApiDocument({ limits: defaultLimits, version: '1.2.3', serverUrl: 'https://chat.example' });
const plain = JSON.parse(JSON.stringify(document)) as Record<string, unknown>;

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const result = await validator.validate(plain);
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
    expect(validator.version).toBe('3.1');
  });

  it('is judged by a validator that notices a fault', async () => {
    const result = await new Validator().validate({ ...plain, paths: { 'no-slash': {} } });
    expect(result.valid).toBe(false);
  });

  it('describes every route of the contract, each once', () => {
    const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
      Object.entries(item).map(
        ([method, operation]) => `${(operation as { operationId: string }).operationId} ${method.toUpperCase()} ${path}`,
      ),
    );
    const routes = Object.entries(createRoutes(defaultLimits)).map(([name, route]) => `${name} ${route.method} ${route.path}`);
    expect(operations.sort()).toEqual(routes.sort());
  });

  it('resolves every reference', () => {
    const names = Object.keys(document.components?.schemas ?? {});
    for (const [, name] of JSON.stringify(plain).matchAll(/#\/components\/schemas\/([\w.-]+)/g)) expect(names).toContain(name);
  });

  it('shows the numbers of a query as integers', () => {
    const text = JSON.stringify(document.paths?.['/v1/sync/conversations/{conversationId}/entries']);
    expect(text).toMatch(/"name":"limit"[^}]*"schema":\{[^}]*"type":"integer"/);
  });
});

describe('the page', () => {
  const page = renderDocsPage(document);

  it('shows every operation and schema, with links that lead somewhere', () => {
    for (const name of Object.keys(createRoutes(defaultLimits))) expect(page).toContain(`id="${name}"`);
    for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) expect(page).toContain(`id="${target}"`);
  });

  it('needs no script and nothing from elsewhere', () => {
    expect(page).not.toMatch(/<script|<style|\sstyle=|\son\w+=|https?:\/\/(?!chat\.example)/i);
  });
});
