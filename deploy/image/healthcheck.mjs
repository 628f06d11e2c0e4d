// Ends with 0 when the process in this container can serve: `node healthcheck.mjs <operations port>`.
const port = Number(process.argv[2]);
const { status } = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_500) });
process.exitCode = status === 200 ? 0 : 1;
