import express from 'express';
import type { OpenApiDocument } from '../../openapi/document.ts';
import { docsStyle, renderDocsPage } from '../../openapi/page.ts';

/** `GET /v1/openapi.json` and its readable form at `/docs`. Both are rendered once and need nothing from elsewhere. */
export function docsRouter(document: () => OpenApiDocument): express.Router {
  let json: string | undefined;
  let page: string | undefined;
  const router = express.Router({ caseSensitive: true });
  router.get('/v1/openapi.json', (_req, res) => {
    json ??= JSON.stringify(document());
    res.type('application/json').send(json);
  });
  router.get('/docs', (_req, res) => {
    page ??= renderDocsPage(document());
    res
      .set('Content-Security-Policy', "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
      .type('text/html')
      .send(page);
  });
  router.get('/docs/style.css', (_req, res) => {
    res.type('text/css').send(docsStyle);
  });
  return router;
}
