public import Dionysus

/// An object container file: a schema and any number of data.
///
///     let file = try AvroContainer(parsing: bytes)
///     for value in try file.values(as: mySchema) { … }
public struct AvroContainer: Sendable {
    /// The schema that the data was written with.
    public let schema: AvroSchema
    /// How its blocks are compressed.
    public let codec: AvroCodec
    /// What else the writer has noted, by name.
    public let metadata: [String: [UInt8]]
    /// How many bytes a block may have when it is decompressed.
    public var maximumBlockSize = 64 << 20

    static let magic = [UInt8]("Obj".utf8) + [1]
    static let metadataSchema = AvroSchema(types: [AvroType(kind: .map(1)), AvroType(kind: .bytes)], root: 0)

    private let bytes: [UInt8]
    private let sync: ArraySlice<UInt8>
    private let body: Int

    /// Reads the head of a file.
    /// - Parameter bytes: The file.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` for what is no such file, or is compressed in a way that isn't known.
    public init(parsing bytes: [UInt8]) throws {
        guard bytes.starts(with: Self.magic) else {
            throw DionysusError(
                .malformed,
                "the bytes are no object container file of Avro: they don't begin with Obj and 1"
            )
        }
        var sink = ValueSink(schema: Self.metadataSchema)
        let plan = try AvroPlan(from: Self.metadataSchema)
        let length = try bytes.withUnsafeBytes { buffer in
            try plan.decodePrefix(UnsafeRawBufferPointer(rebasing: buffer[Self.magic.count...]), into: &sink)
        }
        guard case .map(let entries) = try sink.value() else { throw Self.failure("the head is damaged") }
        var metadata: [String: [UInt8]] = [:]
        for entry in entries { if case .bytes(let value) = entry.value { metadata[entry.name] = value } }
        guard let text = metadata["avro.schema"] else { throw Self.failure("the head has no avro.schema") }
        let name = metadata["avro.codec"].map { String(decoding: $0, as: UTF8.self) } ?? AvroCodec.null.rawValue
        guard let codec = AvroCodec(rawValue: name) else {
            throw Self.failure(
                "the codec \"\(name.prefix(40).description.printable())\" isn't known; null and deflate are"
            )
        }
        self.codec = codec
        schema = try AvroSchema(parsing: String(decoding: text, as: UTF8.self), .lenient)
        metadata["avro.schema"] = nil
        metadata["avro.codec"] = nil
        self.metadata = metadata
        let start = Self.magic.count + length
        guard bytes.count - start >= 16 else { throw Self.failure("the head ends before its sync marker") }
        sync = bytes[start..<(start + 16)]
        body = start + 16
        self.bytes = bytes
    }

    private static func failure(_ what: String) -> DionysusError {
        DionysusError(.malformed, "the object container file of Avro can't be read: \(what)")
    }

    /// All data.
    /// - Parameter reader: The schema of what is to be read; the file's if it is nil.
    /// - Returns: The values.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the place, and with `declaration` if the schemas don't fit.
    public func values(as reader: AvroSchema? = nil) throws -> [AvroValue] {
        let plan = try AvroPlan(from: schema, to: reader)
        var sink = ValueSink(schema: plan.reader)
        var values: [AvroValue] = []
        try forEachDatum(plan, into: &sink) { sink in values.append(try sink.value()) }
        return values
    }

    /// All data, each in Avro's JSON encoding or as plain JSON.
    /// - Parameters:
    ///   - plain: Whether programs without a schema are to understand it; see ``AvroPlan/plainJSON(from:)``.
    ///   - reader: The schema of what is to be read; the file's if it is nil.
    /// - Returns: The documents.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the place, and with `declaration` if the schemas don't fit.
    public func documents(plain: Bool = false, as reader: AvroSchema? = nil) throws -> [JSON] {
        let plan = try AvroPlan(from: schema, to: reader)
        var sink = JSONSink(schema: plan.reader, form: plain ? .plain : .avro)
        var documents: [JSON] = []
        try forEachDatum(plan, into: &sink) { sink in documents.append(try sink.value()) }
        return documents
    }

    /// Reads all data into a sink.
    /// - Parameter body: Called after each datum.
    package func forEachDatum<Sink: AvroSink>(
        _ plan: AvroPlan,
        into sink: inout Sink,
        _ body: (inout Sink) throws -> Void
    ) throws {
        let numbers = try AvroPlan(from: AvroSchema(types: [AvroType(kind: .long)], root: 0))
        var position = self.body
        var block = 0
        var free = AvroLimits.freeValues
        while position < bytes.count {
            do {
                let head = try head(numbers, at: position)
                let minimum = plan.program.minimumSize
                let data = try codec.decompress(bytes[head.data], limit: maximumBlockSize)
                guard minimum > 0 ? head.count <= data.count / minimum : head.count <= free else {
                    throw AvroFault("it is said to have more data than there are bytes for")
                }
                if minimum == 0 { free -= head.count }
                try data.withUnsafeBytes { buffer in
                    var start = 0
                    for _ in 0..<head.count {
                        start += try plan.decodePrefix(UnsafeRawBufferPointer(rebasing: buffer[start...]), into: &sink)
                        try body(&sink)
                    }
                    guard start == buffer.count else { throw AvroFault("bytes stand behind its data") }
                }
                guard bytes[head.data.upperBound...].starts(with: sync) else {
                    throw AvroFault("its sync marker is damaged")
                }
                position = head.data.upperBound + 16
                block += 1
            } catch let fault as AvroFault {
                throw Self.failure("block \(block), which begins at byte \(position): \(fault.message)")
            } catch let error as DionysusError where error.code == .malformed {
                throw Self.failure("block \(block), which begins at byte \(position): \(error.message)")
            }
        }
    }

    /// A block's count and where its data stands.
    private func head(_ numbers: AvroPlan, at start: Int) throws -> (count: Int, data: Range<Int>) {
        var sink = ValueSink(schema: numbers.reader)
        var position = start
        func number() throws -> Int {
            position += try bytes.withUnsafeBytes { buffer in
                try numbers.decodePrefix(UnsafeRawBufferPointer(rebasing: buffer[position...]), into: &sink)
            }
            guard case .long(let value) = try sink.value(), let number = Int(exactly: value), number >= 0 else {
                throw AvroFault("its head is damaged")
            }
            return number
        }
        let count = try number()
        let size = try number()
        guard size <= bytes.count - position else { throw AvroFault("its head is damaged, or it ends too early") }
        return (count, position..<(position + size))
    }
}

/// Writes an object container file.
///
///     var writer = try AvroContainerWriter(schema: schema, codec: .deflate)
///     try writer.append(value)
///     let bytes = try writer.finish()
public struct AvroContainerWriter: Sendable {
    private let schema: AvroSchema
    private let codec: AvroCodec
    private let sync: [UInt8]
    private let blockSize: Int
    private var file: [UInt8] = AvroContainer.magic
    private var block: [UInt8] = []
    private var count = 0

    /// Begins a file.
    /// - Parameters:
    ///   - schema: The schema of all data.
    ///   - codec: How blocks are compressed.
    ///   - metadata: What else is noted, by name. Names that begin with `avro.` are Avro's.
    ///   - blockSize: From how many bytes on data becomes a block.
    /// - Throws: ``/Dionysus/DionysusError`` with code `configuration` for a name that is Avro's.
    public init(
        schema: AvroSchema,
        codec: AvroCodec = .null,
        metadata: [String: [UInt8]] = [:],
        blockSize: Int = 64 << 10
    ) throws {
        if let name = metadata.keys.first(where: { $0.hasPrefix("avro.") }) {
            throw DionysusError(.configuration, "\(name) is one of Avro's names, and no name for metadata of one's own")
        }
        self.schema = schema
        self.codec = codec
        self.blockSize = blockSize
        var random = SystemRandomNumberGenerator()
        sync = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        var entries: [AvroValue.Entry] = [
            .init("avro.schema", .bytes(Array(schema.description.utf8))),
            .init("avro.codec", .bytes(Array(codec.rawValue.utf8))),
        ]
        entries += metadata.sorted { $0.key < $1.key }.map { .init($0.key, .bytes($0.value)) }
        file += try AvroContainer.metadataSchema.encode(.map(entries))
        file += sync
    }

    /// Adds a value.
    /// - Parameter value: The value.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the path, for a value that isn't the schema's.
    public mutating func append(_ value: AvroValue) throws { try append(encoded: schema.encode(value)) }

    /// Adds a datum that is in the binary encoding already.
    /// - Parameter datum: The bytes.
    /// - Throws: ``/Dionysus/DionysusError`` if a block can't be compressed.
    public mutating func append(encoded datum: some Collection<UInt8>) throws {
        block += datum
        count += 1
        if block.count >= blockSize { try flush() }
    }

    /// Ends the file.
    /// - Returns: The file.
    /// - Throws: ``/Dionysus/DionysusError`` if a block can't be compressed.
    public consuming func finish() throws -> [UInt8] {
        try flush()
        return file
    }

    private mutating func flush() throws {
        guard count > 0 else { return }
        let data = try codec.compress(block)
        var writer = AvroWriter()
        writer.blockCount(count)
        writer.bytes(data)
        file += writer.bytes
        file += sync
        block.removeAll(keepingCapacity: true)
        count = 0
    }
}
