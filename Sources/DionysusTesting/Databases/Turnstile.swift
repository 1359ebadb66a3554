/// Limits the number of tests that use databases on a server at a time, first come, first served.
///
/// All tests of a process may run in parallel, each with its own connections: together they would exceed the server's
/// limit.
package actor Turnstile {
    package static let postgres = Turnstile(width: 12)
    /// Whether the task's test has already been admitted: anything that it starts must not wait again.
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
