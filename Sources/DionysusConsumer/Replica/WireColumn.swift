package import Dionysus

extension ColumnDescription {
    /// The value that the column holds for a value on the wire, as a replica's column would.
    /// - Parameter json: The value on the wire.
    /// - Throws: ``/Dionysus/DionysusError`` with code `typeMismatch`, which names the column and shows no value.
    package func value(for json: JSON) throws -> DatabaseValue { try ReplicaColumn(self).value(for: json) }
}
