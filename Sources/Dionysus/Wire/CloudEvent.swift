/// How a message of Kafka holds a CloudEvent.
public enum CloudEventMode: String, Sendable, Hashable, CaseIterable {
    /// Attributes are headers, and the value is the event's data.
    case binary
    /// The value is a JSON object with the attributes and the data.
    case structured
}

/// An event of CloudEvents 1.0, as a message of Kafka holds it.
package struct CloudEvent: Sendable {
    /// An attribute, without the type of the data.
    package struct Attribute: Sendable, Hashable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The extension attribute that carries the version of the snapshot.
    ///
    /// It is text: CloudEvents' integers have only 32 bits.
    package static let version = "dionysusversion"
    /// What the names of headers begin with that are attributes.
    package static let headerPrefix = "ce_"
    /// The header with the type of the value.
    package static let contentType = "content-type"
    /// The content type of structured messages.
    package static let structuredType = "application/cloudevents+json; charset=UTF-8"
    static let specVersion = "1.0"

    /// The attributes, in their order, `specversion` among them.
    package var attributes: [Attribute]
    /// The type of the data: the attribute `datacontenttype`.
    package var dataType: String?
    /// The data; nil if there are none.
    package var data: [UInt8]?

    /// Creates an event.
    /// - Parameter attributes: The attributes without `specversion`.
    package init(_ attributes: [Attribute], dataType: String?, data: [UInt8]?) {
        self.attributes = [Attribute("specversion", Self.specVersion)] + attributes
        self.dataType = dataType
        self.data = data
    }

    /// The value of an attribute; of several with the name, the last.
    package subscript(name: String) -> String? { attributes.last { $0.name == name }?.value }

    /// Whether data of a type are JSON; data without a type are.
    package static func isJSON(_ type: String?) -> Bool {
        guard let type else { return true }
        let media = type.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }.lowercased()
        return media.hasSuffix("/json") || media.hasSuffix("+json")
    }

    // MARK: Writing

    /// The attributes as headers.
    package var headers: [MessageHeader] {
        (dataType.map { [MessageHeader(Self.contentType, Array($0.utf8))] } ?? [])
            + attributes.map { MessageHeader(Self.headerPrefix + $0.name, Array($0.value.utf8)) }
    }

    /// The event as one JSON object; data that aren't JSON are base64 in it.
    package var document: [UInt8] {
        var writer = JSONWriter(capacity: 256 + (data?.count ?? 0))
        writer.literal("{")
        for attribute in attributes {
            writer.write(attribute.name)
            writer.literal(":")
            writer.write(attribute.value)
            writer.literal(",")
        }
        if let dataType {
            writer.literal(#""datacontenttype":"#)
            writer.write(dataType)
            writer.literal(",")
        }
        guard let data else { return Array(writer.bytes.dropLast()) + [UInt8(ascii: "}")] }
        if Self.isJSON(dataType) {
            writer.literal(#""data":"#)
            writer.append(data)
        } else {
            writer.literal(#""data_base64":"#)
            writer.write(data.base64Encoded)
        }
        writer.literal("}")
        return writer.bytes
    }
}
