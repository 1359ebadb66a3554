import Foundation
import TestSupport

/// The peak memory of each role's processes, in KiB.
///
/// Available only on Linux; not checked elsewhere.
struct Memory: Sendable {
    private var peaks: [Role: Int] = [:]

    /// Includes a process.
    mutating func add(_ process: RunningProcess, _ role: Role) {
        guard let peak = process.peakMemory else { return }
        peaks[role] = max(peaks[role] ?? 0, peak)
    }

    /// The roles whose memory grew to more than one and a half times the value before the faults.
    func growth(over quiet: Memory) -> [String] {
        peaks.compactMap { role, peak in
            guard let before = quiet.peaks[role], Double(peak) > 1.5 * Double(before) else { return nil }
            return "a \(role.rawValue) used \(peak / 1024) MiB of memory, and \(before / 1024) MiB before the faults"
        }
    }

    func text(over quiet: Memory) -> String {
        peaks.sorted { $0.key.rawValue < $1.key.rawValue }
            .map { "\($0.key.rawValue) \((quiet.peaks[$0.key] ?? 0) / 1024) to \($0.value / 1024) MiB" }
            .joined(separator: ", ")
    }
}

extension RunningProcess {
    /// The peak memory of the process, in KiB.
    fileprivate var peakMemory: Int? {
        let status = try? String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }
    }

    /// The processor time of the process.
    fileprivate var processorTime: Duration? {
        guard let text = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        // After the program's name, which may contain anything, user time is the 12th field and system time the 13th.
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else { return nil }
        return .seconds(1) * (user + system) / sysconf(Int32(_SC_CLK_TCK))
    }
}

extension System {
    /// How long idle processes are observed.
    private static let watching = Duration.seconds(1)
    /// The share of a core that an idle process may use: a spinning one uses all of it, and an idle relay of a debug
    /// build on SQLite up to a third.
    private static let idleShare = 0.7

    func memory() -> Memory {
        var memory = Memory()
        for role in [Role.relay, .consumer, .counter] {
            for process in all(role) { memory.add(process, role) }
        }
        return memory
    }

    /// Looks for busy processes in an idle system, up to three times in a row.
    /// - Returns: The busiest process's share of a core, as a figure, and violations.
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
            suspects.map { "a \($0.0.rawValue) uses \(Int(100 * $0.2)) % of a core while idle" }
        )
    }
}
