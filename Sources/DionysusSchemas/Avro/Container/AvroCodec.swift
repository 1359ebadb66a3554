import CZlib
import Dionysus

/// How the blocks of an object container file are compressed.
public enum AvroCodec: String, Sendable, CaseIterable {
    case null
    case deflate

    func compress(_ bytes: [UInt8]) throws -> [UInt8] {
        guard self == .deflate else { return bytes }
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        // Below zero, the window's size asks for bare data, without zlib's header, as Avro has it.
        let status = deflateInit2_(
            &stream,
            Z_DEFAULT_COMPRESSION,
            Z_DEFLATED,
            -15,
            8,
            Z_DEFAULT_STRATEGY,
            ZLIB_VERSION,
            size
        )
        guard status == Z_OK else { throw Self.failure("zlib can't compress (\(status))") }
        defer { deflateEnd(&stream) }
        return try Self.run(&stream, bytes, limit: .max) { CZlib.deflate(&$0, Z_FINISH) }
    }

    /// - Parameter limit: How many bytes may come out.
    func decompress(_ bytes: ArraySlice<UInt8>, limit: Int) throws -> [UInt8] {
        guard self == .deflate else { return Array(bytes) }
        var stream = z_stream()
        let status = inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else { throw Self.failure("zlib can't decompress (\(status))") }
        defer { inflateEnd(&stream) }
        return try Self.run(&stream, Array(bytes), limit: limit) { CZlib.inflate(&$0, Z_FINISH) }
    }

    private static func run(
        _ stream: inout z_stream,
        _ input: [UInt8],
        limit: Int,
        _ step: (inout z_stream) -> Int32
    ) throws -> [UInt8] {
        guard let count = UInt32(exactly: input.count) else { throw failure("a block has more than 4 GiB") }
        var input = input
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        return try input.withUnsafeMutableBufferPointer { source in
            stream.next_in = source.baseAddress
            stream.avail_in = count
            while true {
                let status = chunk.withUnsafeMutableBufferPointer { buffer in
                    stream.next_out = buffer.baseAddress
                    stream.avail_out = UInt32(buffer.count)
                    return step(&stream)
                }
                let produced = chunk.count - Int(stream.avail_out)
                guard output.count + produced <= limit else {
                    throw failure("a block has more than \(limit) bytes when it is decompressed")
                }
                output += chunk[..<produced]
                if status == Z_STREAM_END { break }
                // No room is left in the chunk, and nothing is wrong; any other reason is the data's.
                guard status == Z_BUF_ERROR || status == Z_OK, stream.avail_out == 0 else {
                    throw failure("a block's compressed data is damaged")
                }
            }
            // What stands behind the data's end doesn't matter: fastavro leaves a part of zlib's checksum there.
            return output
        }
    }

    private static func failure(_ message: String) -> DionysusError { DionysusError(.malformed, message) }
}
