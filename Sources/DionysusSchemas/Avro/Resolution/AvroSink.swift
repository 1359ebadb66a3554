/// Takes a datum's parts as they are read, so that nothing stands between bytes and what is made of them.
///
/// The parts have the reader's types, whatever the writer's were; `type` is a place in the reader's ``AvroSchema/types``.
/// A record is ``beginRecord(_:)``, then for each of its fields ``field(_:)`` with the field's place followed by the field's
/// data, then ``endRecord()``. Fields come in the writer's order, and each of the reader's fields comes once. An array is
/// ``beginArray(_:)``, its elements, ``endArray()``. A map is ``beginMap(_:)``, then for each entry ``key(_:)`` followed by the
/// value, then ``endMap()``. Data of a union comes behind ``branch(_:of:)``.
///
/// Buffers are valid during the call only. Text is what was read: a sink checks that it is UTF-8, with `AvroText`, when it makes
/// use of it.
///
/// A sink is specialised where it is used, so that a call costs nothing beside what it does.
@usableFromInline package protocol AvroSink {
    mutating func null(_ type: Int) throws(AvroFault)
    mutating func boolean(_ value: Bool, _ type: Int) throws(AvroFault)
    mutating func int(_ value: Int32, _ type: Int) throws(AvroFault)
    mutating func long(_ value: Int64, _ type: Int) throws(AvroFault)
    mutating func float(_ value: Float, _ type: Int) throws(AvroFault)
    mutating func double(_ value: Double, _ type: Int) throws(AvroFault)
    mutating func bytes(_ value: UnsafeRawBufferPointer, _ type: Int) throws(AvroFault)
    mutating func string(_ utf8: UnsafeRawBufferPointer, _ type: Int) throws(AvroFault)
    mutating func fixed(_ value: UnsafeRawBufferPointer, _ type: Int) throws(AvroFault)
    /// The place of the reader's symbol.
    mutating func enumeration(_ symbol: Int, _ type: Int) throws(AvroFault)
    mutating func branch(_ index: Int, of type: Int) throws(AvroFault)
    mutating func beginRecord(_ type: Int) throws(AvroFault)
    mutating func field(_ index: Int) throws(AvroFault)
    mutating func endRecord() throws(AvroFault)
    mutating func beginArray(_ type: Int) throws(AvroFault)
    mutating func endArray() throws(AvroFault)
    mutating func beginMap(_ type: Int) throws(AvroFault)
    mutating func key(_ utf8: UnsafeRawBufferPointer) throws(AvroFault)
    mutating func endMap() throws(AvroFault)
}

/// Text from outside.
@usableFromInline package enum AvroText {
    /// The text that bytes are.
    /// - Throws: ``AvroFault`` for what is no UTF-8.
    @inlinable package static func string(_ utf8: UnsafeRawBufferPointer) throws(AvroFault) -> String {
        let text = String(decoding: utf8, as: UTF8.self)
        // Text is read with repairs, which show as other bytes: that takes less time than to ask first.
        guard isASCII(utf8) || text.utf8.elementsEqual(utf8) else { throw AvroFault("text is not UTF-8") }
        return text
    }

    /// Whether no byte has its highest bit set, eight bytes at a time.
    @inlinable package static func isASCII(_ utf8: UnsafeRawBufferPointer) -> Bool {
        var position = 0
        while utf8.count - position >= 8 {
            if utf8.loadUnaligned(fromByteOffset: position, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 {
                return false
            }
            position += 8
        }
        while position < utf8.count {
            if utf8[position] >= 0x80 { return false }
            position += 1
        }
        return true
    }
}
