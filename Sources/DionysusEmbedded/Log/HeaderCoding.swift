import Dionysus

/// Headers as one column: for each its name and its value, both after their lengths (32 bits, little-endian).
enum HeaderCoding {
    static func encode(_ headers: [MessageHeader]) -> [UInt8]? {
        guard !headers.isEmpty else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headers.reduce(0) { $0 + 8 + $1.name.utf8.count + $1.value.count })
        for header in headers {
            append(header.name.utf8, to: &bytes)
            append(header.value, to: &bytes)
        }
        return bytes
    }

    static func decode(_ data: [UInt8]) throws -> [MessageHeader] {
        try data.withUnsafeBytes { bytes in
            var position = 0
            func field() throws -> UnsafeRawBufferPointer {
                guard position + 4 <= bytes.count else { throw damaged() }
                let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
                position += 4
                guard position + length <= bytes.count else { throw damaged() }
                defer { position += length }
                return UnsafeRawBufferPointer(rebasing: bytes[position..<position + length])
            }
            var headers: [MessageHeader] = []
            while position < bytes.count {
                let name = String(decoding: try field(), as: UTF8.self)
                headers.append(MessageHeader(name, Array(try field())))
            }
            return headers
        }
    }

    private static func append(_ field: some Collection<UInt8>, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(field.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: field)
    }

    private static func damaged() -> DionysusError {
        DionysusError(
            .malformed,
            "the headers of a message in the embedded log are damaged",
            advice: "check the disk; move the log away to begin with a new one"
        )
    }
}
