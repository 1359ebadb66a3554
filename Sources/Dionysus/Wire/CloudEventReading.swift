extension CloudEvent {
    /// Reads the event that a message holds.
    ///
    /// The result is nil for a message that holds none.
    /// - Throws: ``DionysusError`` with code `malformed` for one that says that it is an event, and isn't one of version 1.0.
    package init?(_ message: ConsumedMessage) throws {
        let type = Self.contentType(of: message)
        if let type, Self.isStructured(type) {
            try self.init(document: message.value, type)
        } else if message.headers.contains(where: { $0.name.lowercased() == "ce_specversion" }) {
            try self.init(headers: message.headers, dataType: type, data: message.value)
        } else {
            return nil
        }
        try check()
    }

    /// Whether a message holds its event in one JSON object.
    package static func isStructured(_ message: ConsumedMessage) -> Bool {
        contentType(of: message).map(isStructured) ?? false
    }

    private static func isStructured(_ type: String) -> Bool { type.lowercased().hasPrefix("application/cloudevents") }

    private static func contentType(of message: ConsumedMessage) -> String? {
        message.headers.last { $0.name.lowercased() == contentType }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    private init(headers: [MessageHeader], dataType: String?, data: [UInt8]?) throws {
        attributes = try headers.compactMap { header in
            let name = header.name.lowercased()
            guard name.hasPrefix(Self.headerPrefix) else { return nil }
            guard let value = String(validating: header.value, as: UTF8.self) else {
                throw Self.fault("has an attribute that is not UTF-8 text")
            }
            return Attribute(String(name.dropFirst(Self.headerPrefix.count)), value)
        }
        self.dataType = dataType
        self.data = data
    }

    private init(document value: [UInt8]?, _ type: String) throws {
        let media = type.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
        guard media == "application/cloudevents+json" else {
            throw Self.fault(
                "is of another format than JSON, or of several events",
                "write application/cloudevents+json"
            )
        }
        guard let value, case .object(let object) = try JSON(parsing: value) else {
            throw Self.fault("is not a JSON object")
        }
        attributes = []
        var (json, base64): (JSON?, JSON?)
        for member in object.members {
            switch (member.name, member.value) {
            case (_, .null): continue
            case ("data", let value): json = value
            case ("data_base64", let value): base64 = value
            case ("datacontenttype", .string(let type)): dataType = type
            case (let name, .string(let text)): attributes.append(Attribute(name, text))
            case (let name, .integer(let number)): attributes.append(Attribute(name, String(number)))
            case (let name, .bool(let flag)): attributes.append(Attribute(name, flag ? "true" : "false"))
            default: throw Self.fault("has an attribute that is neither text, nor an integer, nor a truth value")
            }
        }
        switch (json, base64) {
        case (nil, nil): data = nil
        case (.string(let text)?, nil) where !Self.isJSON(dataType): data = Array(text.utf8)
        case (let json?, nil): data = json.bytes
        case (nil, .string(let text)?):
            guard let bytes = [UInt8](base64: text) else { throw Self.fault("has data_base64 that is not base64") }
            data = bytes
        default: throw Self.fault("has data_base64 that is no text, or beside other data")
        }
    }

    private func check() throws {
        guard self["specversion"] == Self.specVersion else {
            throw Self.fault("is of another version than 1.0, or says none")
        }
        for name in ["id", "source", "type"] where self[name]?.isEmpty ?? true {
            throw Self.fault("has no \(name)")
        }
    }

    private static func fault(_ what: String, _ advice: String? = nil) -> DionysusError {
        DionysusError(.malformed, "the CloudEvent \(what)", advice: advice)
    }
}
