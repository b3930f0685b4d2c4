// Counting: what was checked, what failed and why, in one line at the end.

export class Checks {
  #name;
  #passed = 0;
  #failed = 0;

  constructor(name) {
    this.#name = name;
  }

  /** Counts one check; `wrong` says what is the matter if it does not hold. */
  ok(holds, wrong) {
    if (holds) {
      this.#passed += 1;
      return;
    }
    this.#failed += 1;
    console.log(`${this.#name}: ${wrong}`);
  }

  /** Prints the line that is counted, and fails the process if anything did. */
  end() {
    console.log(`${this.#name}: ${this.#passed} passed, ${this.#failed} failed`);
    if (this.#failed > 0) process.exitCode = 1;
  }
}
