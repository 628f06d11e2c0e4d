export { type Server, type ServerOptions, startServer } from './compose.ts';
export * from './postgres/index.ts';
export { type Standalone, type StandaloneOptions, startStandalone } from './standalone.ts';
