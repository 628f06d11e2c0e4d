export { type AppProcess, type Processes, type ProcessesOptions, type Role, roles, startProcesses } from './processes.ts';
