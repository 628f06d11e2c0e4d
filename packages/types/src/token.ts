import { z } from 'zod';
import { appIdSchema, userIdSchema } from './ids.ts';

/** `aud` of every user token. */
export const TOKEN_AUDIENCE = 'nudge';

/** Signature algorithms a key may have. */
export const tokenAlgorithms = ['HS256', 'RS256', 'ES256'] as const;
export type TokenAlgorithm = (typeof tokenAlgorithms)[number];

/** `kid` of a token: `<appId>.<n>` names the app's key. */
export const tokenKidSchema = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}\.[A-Za-z0-9_-]{1,32}$/);

/** Claims a user token must carry. `iss` is the app, `sub` the user, times are in seconds. */
export const tokenClaimsSchema = z.looseObject({
  sub: userIdSchema,
  iss: appIdSchema,
  aud: z.literal(TOKEN_AUDIENCE),
  iat: z.int(),
  exp: z.int(),
});
export type TokenClaims = z.infer<typeof tokenClaimsSchema>;
