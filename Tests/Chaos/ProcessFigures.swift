import Foundation
import TestSupport

/// The most memory that a process of each role has had, in KiB.
///
/// Linux tells it; on other systems it is not known, and not checked.
struct Memory: Sendable {
    private var peaks: [Role: Int] = [:]

    /// Counts a process in.
    mutating func add(_ process: RunningProcess, _ role: Role) {
        guard let peak = process.peakMemory else { return }
        peaks[role] = max(peaks[role] ?? 0, peak)
    }

    /// What has grown to more than one and a half times of what it was before the faults.
    func growth(over quiet: Memory) -> [String] {
        peaks.compactMap { role, peak in
            guard let before = quiet.peaks[role], Double(peak) > 1.5 * Double(before) else { return nil }
            return "a \(role.rawValue) has had \(peak / 1024) MiB of memory, and \(before / 1024) before the faults"
        }
    }

    func text(over quiet: Memory) -> String {
        peaks.sorted { $0.key.rawValue < $1.key.rawValue }
            .map { "\($0.key.rawValue) \((quiet.peaks[$0.key] ?? 0) / 1024) to \($0.value / 1024) MiB" }
            .joined(separator: ", ")
    }
}

extension RunningProcess {
    /// The most memory that the process has had, in KiB.
    fileprivate var peakMemory: Int? {
        let status = try? String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }
    }

    /// The processor's time that the process has had.
    fileprivate var processorTime: Duration? {
        guard let text = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        // Behind the program's name, which may hold anything: user time is the 12th field, system time the 13th.
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else { return nil }
        return .seconds(1) * (user + system) / sysconf(Int32(_SC_CLK_TCK))
    }
}

extension System {
    /// How long processes are watched that have nothing to do.
    private static let watching = Duration.seconds(1)
    /// How much of a core a process may use then: one that spins uses all of it, an idle relay of a debug build on SQLite has
    /// been seen to use a third.
    private static let idleShare = 0.7

    func memory() -> Memory {
        var memory = Memory()
        for role in [Role.relay, .consumer, .counter] {
            for process in all(role) { memory.add(process, role) }
        }
        return memory
    }

    /// Looks for processes that work although there is nothing to do, three times in a row.
    /// - Returns: How much of a core the busiest has used at last, as a figure, and what is wrong.
    func idleness() async throws -> (figure: String, violations: [String]) {
        var suspects = [Role.relay, .consumer, .counter].flatMap { role in all(role).map { (role, $0, 0.0) } }
        var busiest = 0.0
        for _ in 1...3 where !suspects.isEmpty {
            let before = suspects.map(\.1.processorTime)
            try await Task.sleep(for: Self.watching)
            let shares = zip(suspects, before)
                .map { suspect, before in
                    guard let before, let after = suspect.1.processorTime else { return (suspect.0, suspect.1, 0.0) }
                    return (suspect.0, suspect.1, (after - before) / Self.watching)
                }
            busiest = shares.map(\.2).max() ?? 0
            suspects = shares.filter { $0.2 > Self.idleShare }
        }
        return (
            "idle at \(Int(100 * busiest)) %",
            suspects.map { "a \($0.0.rawValue) uses \(Int(100 * $0.2)) % of a core with nothing to do" }
        )
    }
}
