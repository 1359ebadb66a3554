/// The minimum version of another system; see `docs/versions.md`.
package struct RequiredVersion: Sendable {
    private let system: String
    private let oldest: [Int]

    package static let postgres = RequiredVersion(system: "PostgreSQL", oldest: [14])
    package static let sqlite = RequiredVersion(system: "SQLite", oldest: [3, 35, 0])
    package static let librdkafka = RequiredVersion(system: "librdkafka", oldest: [2, 0, 2])

    /// - Parameters:
    ///   - version: The version found: its numbers, the major one first.
    ///   - place: The location, to follow the system's name: ` at localhost:5432/app`.
    /// - Throws: ``DionysusError`` with code `configuration` for a version that is too old.
    package func require(_ version: [Int], place: String = "") throws {
        guard version.lexicographicallyPrecedes(oldest) else { return }
        throw DionysusError(
            .configuration,
            "\(system)\(place) has version \(Self.text(version)), but Dionysus needs \(Self.text(oldest)) or later",
            advice: "upgrade \(system)"
        )
    }

    private static func text(_ version: [Int]) -> String { version.map(String.init).joined(separator: ".") }
}
