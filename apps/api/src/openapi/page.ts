import type { OpenApiDocument } from './document.ts';

/** Parts of the document that the page shows; the rest stays in the JSON. */
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly security: readonly Record<string, unknown>[];
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema?: unknown;
  }[];
  readonly requestBody: { readonly required?: boolean; readonly content: Record<string, { readonly schema?: unknown }> } | undefined;
  readonly responses: Record<string, { readonly description: string; readonly content?: Record<string, { readonly schema?: unknown }> }>;
}

/** A page that shows the document to people: plain HTML, no script, nothing from elsewhere. */
export function renderDocsPage(document: OpenApiDocument): string {
  const operations = listOperations(document);
  const tags = (document.tags ?? []).filter(({ name }) => operations.some(({ operation }) => operation.tags.includes(name)));
  const sections = tags.map(({ name, description = '' }) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(name));
    return `<section id="${html(name)}"><h2>${html(name)}</h2><p>${html(description)}</p>${own.map(renderOperation).join('')}</section>`;
  });
  const schemas = Object.entries(document.components?.schemas ?? {}).map(
    ([name, schema]) => `<details id="schema-${html(name)}"><summary><code>${html(name)}</code></summary>${renderSchema(schema)}</details>`,
  );
  const menu = [...tags.map(({ name }) => name), 'schemas'].map((name) => `<a href="#${html(name)}">${html(name)}</a>`).join(' ');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(document.info.title)} API</title><link rel="stylesheet" href="docs/style.css"></head>
<body><header><h1>${html(document.info.title)} API <small>${html(document.info.version)}</small></h1>
<p>${prose(document.info.description ?? '')}</p><p><a href="v1/openapi.json">openapi.json</a></p><nav>${menu}</nav></header>
<main>${sections.join('')}<section id="schemas"><h2>schemas</h2>${schemas.join('')}</section></main></body></html>
`;
}

/** Styles of the page. */
export const docsStyle = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
nav a { margin-right: 1rem; }
details { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 6px; margin: .5rem 0; padding: .5rem .75rem; }
summary { cursor: pointer; }
code { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; padding: .5rem; background: color-mix(in srgb, currentColor 7%, transparent); border-radius: 4px; }
table { border-collapse: collapse; }
td, th { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; }
`;

function listOperations(document: OpenApiDocument): { method: string; path: string; operation: Operation }[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method, path, operation: operation as unknown as Operation })),
  );
}

function renderOperation({ method, path, operation }: { method: string; path: string; operation: Operation }): string {
  const parameters = (operation.parameters ?? []).map(
    (parameter) =>
      `<tr><td><code>${html(parameter.name)}</code></td><td>${html(parameter.in)}${parameter.required === true ? '' : ', optional'}</td><td>${renderSchema(parameter.schema)}</td></tr>`,
  );
  const body = operation.requestBody?.content['application/json']?.schema;
  const optional = operation.requestBody?.required === true ? '' : ' (optional)';
  const answers = Object.entries(operation.responses).map(([status, answer]) => {
    const schema = answer.content?.['application/json']?.schema;
    return `<tr><td><code>${html(status)}</code></td><td>${prose(answer.description)}${schema === undefined ? '' : renderSchema(schema)}</td></tr>`;
  });
  return `<details id="${html(operation.operationId)}"><summary><span class="method">${html(method.toUpperCase())}</span> <code>${html(path)}</code> ${prose(operation.summary)}</summary>
<p>${html(credential(operation))} ${prose(operation.description)}</p>
${parameters.length === 0 ? '' : `<h3>Parameters</h3><table>${parameters.join('')}</table>`}
${body === undefined ? '' : `<h3>Body${optional}</h3>${renderSchema(body)}`}
<h3>Answers</h3><table>${answers.join('')}</table></details>`;
}

function credential({ security }: Operation): string {
  const names = security.flatMap((item) => Object.keys(item));
  if (names.includes('serverKey')) return 'Takes a server key.';
  return names.includes('userToken') ? 'Takes a user token.' : 'Takes no credential.';
}

/** A schema as indented JSON, its references as links. */
function renderSchema(schema: unknown): string {
  const text = html(JSON.stringify(schema, null, 2));
  return `<pre>${text.replaceAll(/#\/components\/schemas\/([\w.-]+)/g, '<a href="#schema-$1">$1</a>')}</pre>`;
}

/** Prose with what stands between backticks as code. */
function prose(text: string): string {
  return html(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
}

function html(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
