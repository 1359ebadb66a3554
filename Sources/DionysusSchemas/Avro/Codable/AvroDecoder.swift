import Dionysus

/// Makes any `Decodable` of Avro's binary encoding.
///
///     let decoder = try AvroDecoder(Rental.self, from: writersSchema, to: mySchema)
///     let rental = try decoder.decode(bytes)
///
/// The schemas are compared once, when the decoder is made. Properties are found by their coding keys; `Date`, `Timestamp`,
/// `CalendarDate`, `Decimal`, `ExactDecimal`, `UUID` and `Data` are read as the field's logical type says.
public struct AvroDecoder<Value: Decodable>: Sendable {
    /// How data is read.
    package let plan: AvroPlan

    /// Creates a decoder.
    /// - Parameters:
    ///   - type: The type to make.
    ///   - writer: The schema that data was written with.
    ///   - reader: The schema that the type was made for; the writer's if it is nil.
    /// - Throws: ``/Dionysus/DionysusError`` with code `declaration` and all that keeps one schema's data from being read with the other.
    public init(_ type: Value.Type, from writer: AvroSchema, to reader: AvroSchema? = nil) throws {
        plan = try AvroPlan(from: writer, to: reader)
    }

    init(_ type: Value.Type, plan: AvroPlan) { self.plan = plan }

    /// Reads one datum.
    /// - Parameter bytes: The datum in the binary encoding, and nothing behind it.
    /// - Returns: The value.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed`, the path and the byte, or with code `typeMismatch` and the path if
    ///   the type asks for something else.
    public func decode(_ bytes: some Sequence<UInt8>) throws -> Value {
        let value = try plan.value(from: bytes)
        return try ValueDecoder(value, plan.reader.root, schema: plan.reader, path: plan.reader.title)
            .decode(Value.self)
    }
}
