import { writeSync } from 'node:fs';
import type { SerializedError, TestModule, TestRunEndReason, Vitest } from 'vitest/node';
import { DefaultReporter } from 'vitest/node';

/**
 * A line for each file as it ends, the failures in full, and last of all `tests: N passed, N failed`. An error outside of any test, a file
 * that cannot be collected, a run of no test and a run that ends early count as a failure each.
 */
export default class SummaryReporter extends DefaultReporter {
  #passed = 0;
  #failed = 0;

  constructor() {
    super({ summary: false });
  }

  override onInit(vitest: Vitest): void {
    super.onInit(vitest);
    // At exit, because the teardown of the run may still print and fail after its end was reported.
    process.once('exit', (code) => {
      const unexplained = this.#failed === 0 && (code !== 0 || this.#passed === 0);
      const failed = unexplained ? 1 : this.#failed;
      if (failed > 0) process.exitCode = code === 0 ? 1 : code;
      writeSync(1, `tests: ${this.#passed} passed, ${failed} failed\n`);
    });
  }

  override onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[], reason: TestRunEndReason): void {
    super.onTestRunEnd(modules, errors, reason);
    const states = modules.flatMap((module) => Array.from(module.children.allTests(), (test) => test.result().state));
    const uncollected = modules.filter((module) => module.errors().length > 0).length;
    this.#passed = states.filter((state) => state === 'passed').length;
    this.#failed = states.filter((state) => state === 'failed').length + uncollected + errors.length;
  }
}
