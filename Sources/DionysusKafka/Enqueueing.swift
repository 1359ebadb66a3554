import CRdkafka
import Dionysus

extension Client {
    /// Puts a message into the client's queue; librdkafka copies its bytes.
    /// - Returns: `NO_ERROR`, `_QUEUE_FULL`, or the reason why the message can't be sent.
    func enqueue(
        _ message: OutgoingMessage,
        to topic: OpaquePointer,
        opaque: UnsafeMutableRawPointer?
    ) -> rd_kafka_resp_err_t {
        let headers = makeHeaders(message.headers)
        let code = withBytes(message.key) { key in
            withBytes(message.value) { value in
                withUnsafeTemporaryAllocation(of: rd_kafka_vu_t.self, capacity: 7) { arguments in
                    arguments.initialize(repeating: rd_kafka_vu_t())
                    arguments[0].vtype = RD_KAFKA_VTYPE_RKT
                    arguments[0].u.rkt = topic
                    arguments[1].vtype = RD_KAFKA_VTYPE_PARTITION
                    arguments[1].u.i32 = message.destination.partition
                    arguments[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS
                    arguments[2].u.i = RD_KAFKA_MSG_F_COPY
                    arguments[3].vtype = RD_KAFKA_VTYPE_KEY
                    arguments[3].u.mem = .init(
                        ptr: UnsafeMutableRawPointer(mutating: key?.baseAddress),
                        size: key?.count ?? 0
                    )
                    arguments[4].vtype = RD_KAFKA_VTYPE_VALUE
                    arguments[4].u.mem = .init(
                        ptr: UnsafeMutableRawPointer(mutating: value?.baseAddress),
                        size: value?.count ?? 0
                    )
                    arguments[5].vtype = RD_KAFKA_VTYPE_OPAQUE
                    arguments[5].u.ptr = opaque
                    arguments[6].vtype = RD_KAFKA_VTYPE_HEADERS
                    arguments[6].u.headers = headers
                    return takeCode(rd_kafka_produceva(pointer, arguments.baseAddress, headers == nil ? 6 : 7))
                }
            }
        }
        // librdkafka takes ownership of the headers only if it accepts the message.
        if code != RD_KAFKA_RESP_ERR_NO_ERROR, let headers { rd_kafka_headers_destroy(headers) }
        return code
    }

    private func makeHeaders(_ headers: [MessageHeader]) -> OpaquePointer? {
        guard !headers.isEmpty else { return nil }
        let list = rd_kafka_headers_new(headers.count)
        for header in headers {
            var name = header.name
            name.withUTF8 { name in
                _ = name.withMemoryRebound(to: CChar.self) { name in
                    header.value.withUnsafeBytes { value in
                        rd_kafka_header_add(list, name.baseAddress, name.count, value.baseAddress, value.count)
                    }
                }
            }
        }
        return list
    }

    /// Passes bytes to librdkafka, for which only a null pointer means "no value".
    private func withBytes<T>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> T) -> T {
        guard let bytes else { return body(nil) }
        guard !bytes.isEmpty else {
            return withUnsafeBytes(of: UInt8(0)) { body(UnsafeRawBufferPointer(rebasing: $0.prefix(0))) }
        }
        return bytes.withUnsafeBytes { body($0) }
    }
}

extension OutgoingMessage.Destination {
    /// The partition, or the constant with which librdkafka calls the partitioner.
    fileprivate var partition: Int32 {
        switch self {
        case .partitioned: RD_KAFKA_PARTITION_UA
        case .partition(let number): number
        }
    }
}
