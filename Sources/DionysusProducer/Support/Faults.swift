import Dionysus

func throwFaults(_ faults: [String]) throws {
    guard !faults.isEmpty else { return }
    throw DionysusError(
        .declaration,
        "the declaration does not fit the database:\n  - \(faults.joined(separator: "\n  - "))"
    )
}

/// Throws an error that lists all faults, if there are any.
func throwFaults(_ faults: [String], _ place: String) throws {
    guard !faults.isEmpty else { return }
    throw DionysusError(.configuration, "\(place): \(faults.joined(separator: "; "))")
}
