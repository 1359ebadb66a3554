import Dionysus

/// Avro's single-object encoding: a datum behind the fingerprint of its schema.
public enum AvroSingleObject {
    private static let marker: [UInt8] = [0xc3, 0x01]

    /// Writes a value.
    /// - Parameters:
    ///   - value: The value.
    ///   - schema: Its schema.
    /// - Returns: The marker, the schema's CRC-64 and the datum.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the path, for a value that isn't the schema's.
    public static func encode(_ value: AvroValue, with schema: AvroSchema) throws -> [UInt8] {
        let fingerprint = withUnsafeBytes(of: schema.crc64.littleEndian) { Array($0) }
        return try marker + fingerprint + schema.encode(value)
    }

    /// The fingerprint of the schema that a datum was written with, as ``AvroSchema/crc64`` has it, and the datum.
    /// - Parameter bytes: The encoding.
    /// - Returns: The fingerprint, and the datum in the binary encoding.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` for bytes that don't begin so.
    public static func parts(of bytes: [UInt8]) throws -> (fingerprint: UInt64, datum: ArraySlice<UInt8>) {
        guard bytes.count >= 10, bytes.starts(with: marker) else {
            throw DionysusError(
                .malformed,
                "the bytes are no single object of Avro: they don't begin with C3 01 and a fingerprint"
            )
        }
        let fingerprint = bytes[2..<10].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return (fingerprint, bytes[10...])
    }
}

extension AvroSingleObject {
    /// What stands before the data of a schema: the marker and the fingerprint.
    /// - Parameter schema: The schema.
    /// - Returns: The bytes.
    package static func prefix(of schema: AvroSchema) -> [UInt8] {
        marker + withUnsafeBytes(of: schema.crc64.littleEndian) { Array($0) }
    }
}
