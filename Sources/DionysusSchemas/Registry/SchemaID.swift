package import Dionysus

package import struct Foundation.UUID

/// How a message names the schema that it was written with.
package enum SchemaID: Sendable, Hashable, CustomStringConvertible {
    /// The number that a registry gave it; another registry has other numbers.
    case number(UInt32)
    /// What is made of the schema itself, the same in every registry.
    case guid(UUID)

    package var description: String {
        switch self {
        case .number(let number): "\(number)"
        case .guid(let guid): guid.uuidString.lowercased()
        }
    }
}

/// Where a message names its schema.
public enum SchemaIDPlacement: String, Sendable, CaseIterable {
    /// In five bytes before the data, as most programs do.
    case prefix
    /// In a header, which leaves the data bare; only newer programs read it.
    case header
}

/// A part of a message that has a schema of its own.
public enum MessagePart: String, Sendable, CaseIterable {
    case key
    case value

    /// The header that names its schema.
    var headerName: String { "__\(rawValue)_schema_id" }
}

/// What names the schema of data, in Confluent's wire format.
///
/// Version 0 stands before the data: a zero, the number in four bytes, and of Protobuf the message's place in its file. Version 1
/// is a header: a one, the GUID in sixteen bytes, and the same place.
package struct SchemaFrame: Sendable, Hashable {
    /// The schema.
    package let id: SchemaID
    /// The message's place in its file, of Protobuf alone.
    package let messageIndexes: [Int]?
    /// What stands before the data; nothing if a header names the schema.
    package let prefix: [UInt8]
    private let headerValue: [UInt8]?

    /// Creates a frame: before the data for a number, in a header for a GUID.
    /// - Parameters:
    ///   - id: The schema.
    ///   - messageIndexes: The message's place in its file, of Protobuf alone.
    package init(_ id: SchemaID, messageIndexes: [Int]? = nil) {
        self.id = id
        self.messageIndexes = messageIndexes
        let place = messageIndexes.map(MessageIndexes.encode) ?? []
        switch id {
        case .number(let number):
            prefix = [0] + withUnsafeBytes(of: number.bigEndian) { Array($0) } + place
            headerValue = nil
        case .guid(let guid):
            prefix = []
            headerValue = [1] + withUnsafeBytes(of: guid.uuid) { Array($0) } + place
        }
    }

    /// The header that names the schema, if nothing stands before the data.
    /// - Parameter part: What the data is.
    /// - Returns: The header, or nil.
    package func header(for part: MessagePart) -> MessageHeader? {
        headerValue.map { MessageHeader(part.headerName, $0) }
    }

    /// Finds out which schema data was written with: a header says so, or else what stands before the data.
    /// - Parameters:
    ///   - bytes: A message's key or value.
    ///   - headers: The message's headers.
    ///   - part: Which of the two it is.
    ///   - type: What kind of schema is expected; data of Protobuf names a message.
    ///   - indexes: How a message's place is written.
    /// - Returns: The frame, and the data.
    /// - Throws: `DionysusError` with code `malformed` for data that names no schema.
    package static func parse(
        _ bytes: some RandomAccessCollection<UInt8>,
        headers: [MessageHeader] = [],
        part: MessagePart = .value,
        type: SchemaType,
        indexes: MessageIndexes.Form = .zigzag
    ) throws -> (frame: SchemaFrame, data: ArraySlice<UInt8>) {
        let name = part.headerName
        if let header = headers.last(where: { $0.name == name }) {
            var rest = header.value[...]
            guard rest.count >= 17, rest.removeFirst() == 1 else {
                throw DionysusError(.malformed, "the header \(name) of a message names no schema")
            }
            let guid = UUID(bytes: rest.prefix(16))
            rest = rest.dropFirst(16)
            let place = type == .protobuf ? try MessageIndexes.decode(&rest, indexes) : nil
            guard rest.isEmpty else {
                throw DionysusError(.malformed, "the header \(name) of a message has bytes behind its schema")
            }
            return (SchemaFrame(.guid(guid), messageIndexes: place), Array(bytes)[...])
        }
        var rest = Array(bytes)[...]
        guard rest.count >= 5, rest.removeFirst() == 0 else {
            throw DionysusError(
                .malformed,
                "a message's \(part.rawValue) doesn't begin with a magic byte and a schema's id",
                advice: "check that the topic is written with a schema registry"
            )
        }
        let number = rest.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        rest = rest.dropFirst(4)
        let place = type == .protobuf ? try MessageIndexes.decode(&rest, indexes) : nil
        return (SchemaFrame(.number(number), messageIndexes: place), rest)
    }

    /// Whether data begins like data of Confluent's wire format, or a header says that it is some.
    ///
    /// Other data can begin like that by chance, but neither JSON nor text does.
    /// - Parameters:
    ///   - bytes: A message's key or value.
    ///   - headers: The message's headers.
    ///   - part: Which of the two it is.
    /// - Returns: Whether a schema is named.
    package static func isPresent(
        in bytes: some Collection<UInt8>,
        headers: [MessageHeader] = [],
        part: MessagePart = .value
    ) -> Bool {
        let name = part.headerName
        return headers.contains { $0.name == name } || (bytes.first == 0 && bytes.count >= 5)
    }
}

extension UUID {
    /// The UUID of 16 bytes.
    fileprivate init(bytes: some Collection<UInt8>) {
        var value = UUID().uuid
        withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: bytes) }
        self.init(uuid: value)
    }
}

/// The place of a message in its file of Protobuf: the first number among the file's messages, each other one among those
/// inside.
public enum MessageIndexes {
    /// How the numbers are written.
    public enum Form: Sendable {
        /// As Confluent's programs do.
        case zigzag
        /// As old programs of others did.
        case plain
    }

    /// How deep messages may stand in each other.
    static let maximumDepth = 64

    /// Writes a place.
    ///
    /// The first message of a file is one zero.
    /// - Parameter indexes: The place.
    /// - Returns: The bytes.
    package static func encode(_ indexes: [Int]) -> [UInt8] {
        if indexes == [0] { return [0] }
        var writer = AvroWriter()
        writer.long(Int64(indexes.count))
        for index in indexes { writer.long(Int64(index)) }
        return writer.bytes
    }

    /// Takes a place from the beginning of bytes.
    /// - Parameters:
    ///   - bytes: The bytes; what is left is behind the place.
    ///   - form: How the numbers are written.
    /// - Returns: The place.
    /// - Throws: `DionysusError` with code `malformed`.
    package static func decode(_ bytes: inout ArraySlice<UInt8>, _ form: Form = .zigzag) throws -> [Int] {
        let count = try number(&bytes, form)
        if count == 0 { return [0] }
        guard count <= maximumDepth else { throw fault("stands \(count) messages deep") }
        return try (0..<count).map { _ in try number(&bytes, form) }
    }

    private static func number(_ bytes: inout ArraySlice<UInt8>, _ form: Form) throws -> Int {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = bytes.popFirst() else { throw fault("is cut off") }
            guard shift < 63 || byte <= 1 else { throw fault("has a number that is too large") }
            value |= UInt64(byte & 0x7f) << shift
            guard byte < 0x80 else { continue }
            let number =
                form == .zigzag
                ? Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) : Int64(bitPattern: value)
            guard number >= 0, let index = Int(exactly: number) else { throw fault("has a number below zero") }
            return index
        }
        throw fault("has a number that is too large")
    }

    private static func fault(_ what: String) -> DionysusError {
        DionysusError(.malformed, "a message's place in its file of Protobuf \(what)")
    }
}
