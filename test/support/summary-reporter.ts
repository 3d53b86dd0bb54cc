import type { Reporter, SerializedError, TestCase, TestModule, Vitest } from 'vitest/node'

/**
 * Ends the output with one line, `N passed, N failed, N skipped`, after a line for each skipped test with its reason.
 * A test that is skipped without one fails the run, and so does a file that could not be loaded.
 */
export default class SummaryReporter implements Reporter {
  /** With `-t` most tests are left out on purpose. */
  #isFiltered = false

  onInit(vitest: Vitest): void {
    this.#isFiltered = vitest.config.testNamePattern !== undefined
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap(module => [...module.children.allTests()])
    const skipped = tests.filter(test => test.result().state === 'skipped')
    const silent = this.#isFiltered ? [] : skipped.filter(test => readReason(test) === undefined)
    const broken = modules.filter(module => module.errors().length > 0)
    const passed = tests.filter(test => test.result().state === 'passed').length
    const failed = tests.filter(test => test.result().state === 'failed').length
    const alsoFailed = silent.length + broken.length + unhandled.length
    if (alsoFailed > 0) process.exitCode = 1
    const lines = [
      ...skipped.filter(readReason).map(test => `skipped: ${test.fullName}: ${readReason(test)}`),
      ...silent.map(test => `skipped without a reason, which is a failure: ${test.fullName}`),
      `${passed} passed, ${failed + alsoFailed} failed, ${skipped.length - silent.length} skipped`,
    ]
    // At the very end, after what other reporters write.
    process.once('exit', () => process.stdout.write(`${lines.join('\n')}\n`))
  }
}

function readReason(test: TestCase): string | undefined {
  const result = test.result()
  return result.state === 'skipped' ? result.note : undefined
}
