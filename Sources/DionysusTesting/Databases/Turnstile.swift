/// Lets so many tests at a time have databases on a server, in the order of coming.
///
/// All tests of a process may run at the same time, and each has connections of its own: together they would take more
/// than a server gives.
package actor Turnstile {
    package static let postgres = Turnstile(width: 12)
    /// Whether the task's test has passed: what it starts itself must not wait behind it.
    @TaskLocal package static var isInside = false

    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(width: Int) { free = width }

    package func enter() async {
        guard free == 0 else { return free -= 1 }
        await withCheckedContinuation { waiting.append($0) }
    }

    package func leave() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
