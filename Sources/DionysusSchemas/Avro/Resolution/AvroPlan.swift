public import Dionysus

/// How data that was written with one schema is read as data of another.
///
/// It is made once for a pair of schemas, and used for any number of data and by any number of tasks.
///
///     let plan = try AvroPlan(from: writersSchema, to: mySchema)
///     let value = try plan.value(from: bytes)
///
/// Fields are matched by name and then by the reader's aliases, numbers are widened, fields that the reader doesn't know are
/// passed over, and those that the writer doesn't have get the reader's defaults.
public struct AvroPlan: Sendable {
    /// The schema that the data was written with.
    package let writer: AvroSchema
    /// The schema of what is read.
    package let reader: AvroSchema
    @usableFromInline package let program: AvroProgram

    /// Compares two schemas.
    /// - Parameters:
    ///   - writer: The schema that the data was written with.
    ///   - reader: The schema of what is to be read; the writer's if it is nil.
    /// - Throws: ``/Dionysus/DionysusError`` with code `declaration` and all that is in the way, with paths.
    public init(from writer: AvroSchema, to reader: AvroSchema? = nil) throws {
        self.writer = writer
        self.reader = reader ?? writer
        var resolution = Resolution(writer: writer, reader: self.reader)
        guard let program = resolution.program() else {
            let faults = resolution.faults.prefix(20).map(\.description).joined(separator: "; ")
            throw DionysusError(
                .declaration,
                "data of the Avro schema \(writer.title) can't be read as \(self.reader.title): \(faults)"
            )
        }
        self.program = program
    }

    /// Reads one datum.
    /// - Parameter bytes: The datum in the binary encoding, and nothing behind it.
    /// - Returns: The value, of the reader's schema.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed`, the path and the byte.
    public func value(from bytes: some Sequence<UInt8>) throws -> AvroValue {
        var sink = ValueSink(schema: reader)
        try decode(bytes, into: &sink)
        return try sink.value()
    }

    /// Reads one datum into a sink.
    ///
    /// What the sink has taken when an error is thrown is part of a datum.
    /// - Throws: ``DionysusError`` with code `malformed`, the path and the byte.
    @inlinable package func decode<Sink: AvroSink>(
        _ bytes: some Sequence<UInt8>,
        into sink: inout Sink
    ) throws {
        let done: Void? = try bytes.withContiguousStorageIfAvailable { buffer in
            try decode(UnsafeRawBufferPointer(buffer), into: &sink)
        }
        if done == nil { try Array(bytes).withUnsafeBytes { try decode($0, into: &sink) } }
    }

    @inlinable package func decode<Sink: AvroSink>(
        _ bytes: UnsafeRawBufferPointer,
        into sink: inout Sink
    ) throws {
        let count = try decodePrefix(bytes, into: &sink)
        guard count == bytes.count else { throw trailing(bytes.count - count, offset: count) }
    }

    /// Reads one datum that may have others behind it.
    /// - Returns: How many bytes it has.
    @inlinable package func decodePrefix<Sink: AvroSink>(
        _ bytes: UnsafeRawBufferPointer,
        into sink: inout Sink
    ) throws -> Int {
        do throws(AvroFault) {
            return try AvroRunner.run(program, bytes, into: &sink)
        } catch {
            throw failure(error)
        }
    }

    @usableFromInline package func failure(_ fault: AvroFault) -> DionysusError {
        fault.error("Avro data of \(writer.title) can't be read")
    }

    @usableFromInline package func trailing(_ count: Int, offset: Int) -> DionysusError {
        failure(AvroFault("\(count) bytes stand behind the datum", offset: offset))
    }
}

extension AvroSchema {
    /// What the schema is called in messages.
    var title: String { name ?? types[root].kind.word }

    /// Writes a value in the binary encoding.
    ///
    /// Numbers are widened, and fields that the value doesn't have get their defaults.
    /// - Parameter value: The value.
    /// - Returns: The bytes.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the path, for a value that isn't the schema's.
    public func encode(_ value: AvroValue) throws -> [UInt8] {
        var writer = ValueWriter(schema: self)
        do throws(AvroFault) {
            try writer.write(value, root)
        } catch {
            throw error.error("the value can't be written as Avro's \(title)")
        }
        return writer.writer.bytes
    }

    /// Reads a datum that was written with this very schema.
    ///
    /// ``AvroPlan`` reads many, and those that were written with another schema.
    /// - Parameter bytes: The datum in the binary encoding, and nothing behind it.
    /// - Returns: The value.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed`, the path and the byte.
    public func decode(_ bytes: some Sequence<UInt8>) throws -> AvroValue {
        try AvroPlan(from: self).value(from: bytes)
    }
}
