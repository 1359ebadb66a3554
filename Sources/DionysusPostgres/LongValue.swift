/// A parameter that isn't copied into its statement, because it is long.
enum LongValue {
    case text(String)
    case bytes([UInt8])

    /// What is longer than this many bytes is long.
    static let minimum = 1 << 16

    var count: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        }
    }

    /// Lends the first byte of each; a zero byte follows text.
    static func withPointers<T>(
        _ values: ArraySlice<LongValue>,
        _ pointers: [UnsafePointer<CChar>] = [],
        _ body: ([UnsafePointer<CChar>]) -> T
    ) -> T {
        guard let value = values.first else { return body(pointers) }
        return value.withPointer { withPointers(values.dropFirst(), pointers + [$0], body) }
    }

    private func withPointer<T>(_ body: (UnsafePointer<CChar>) -> T) -> T {
        switch self {
        // A string that has its own memory ends with a zero byte there, so that nothing is copied.
        case .text(let text): text.withCString(body)
        case .bytes(let bytes):
            bytes.withUnsafeBufferPointer { buffer in
                buffer.withMemoryRebound(to: CChar.self) { $0.baseAddress.map(body) ?? "".withCString(body) }
            }
        }
    }
}
