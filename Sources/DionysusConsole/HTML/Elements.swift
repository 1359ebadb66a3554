import Dionysus

/// The parts that all pages are made of, so that the same thing looks the same everywhere.
enum Elements {
    /// How something is, with a colour, a shape and a word.
    enum State: String, Sendable {
        case well
        case late
        case stuck
        case idle

        fileprivate var shape: String {
            switch self {
            case .well: "●"
            case .late: "▲"
            case .stuck: "■"
            case .idle: "○"
            }
        }
    }

    /// A state with its word.
    static func state(_ state: State, _ word: String) -> HTML {
        """
        <span class="state \(state.rawValue)"><span aria-hidden="true">\(state.shape)</span> \(word)</span>
        """
    }

    /// A time, relative, with the exact one beside it for the pointer and for copying.
    static func time(_ time: Timestamp?, now: Timestamp = .now) -> HTML {
        guard let time else { return "<span class=\"none\">–</span>" }
        let exact = time.iso8601(fractionDigits: 3)
        return "<time datetime=\"\(exact)\" title=\"\(exact) (UTC)\">\(Format.ago(time, now: now))</time>"
    }

    /// A time of day, with the exact one for the pointer.
    static func clock(_ time: Timestamp?) -> HTML {
        guard let time else { return "<span class=\"none\">–</span>" }
        let exact = time.iso8601(fractionDigits: 6)
        return "<time datetime=\"\(exact)\" title=\"\(exact) (UTC)\">\(Format.time(time))</time>"
    }

    /// A text, or a dash where there is none.
    static func text(_ value: String?) -> HTML {
        guard let value, !value.isEmpty else { return "<span class=\"none\">–</span>" }
        return HTML(escaping: value)
    }

    static func code(_ value: String?) -> HTML {
        guard let value else { return "<span class=\"none\">–</span>" }
        return "<code>\(value)</code>"
    }

    /// A column of a table.
    struct Column: Sendable {
        let title: String
        var isNumber = false

        init(_ title: String, isNumber: Bool = false) {
            self.title = title
            self.isNumber = isNumber
        }

        static func number(_ title: String) -> Column { Column(title, isNumber: true) }
    }

    /// A table; on a narrow screen its rows become lists of pairs.
    static func table(
        _ caption: String,
        _ columns: [Column],
        _ rows: [[HTML]],
        empty: HTML,
        selectable: [String]? = nil
    ) -> HTML {
        guard !rows.isEmpty else { return "<p class=\"empty\">\(empty)</p>" }
        let selection = selectable ?? []
        let choose: HTML = selectable == nil ? "" : "<th class=\"pick\"><span class=\"hidden\">Select</span></th>"
        let head = columns.map { "<th scope=\"col\"\(class: $0.isNumber ? "number" : nil)>\($0.title)</th>" as HTML }
        let body = rows.enumerated()
            .map { index, row -> HTML in
                let pick: HTML =
                    index < selection.count
                    ? """
                    <td class="pick"><input type="checkbox" name="id" value="\(selection[index])" \
                    aria-label="Select \(selection[index])"></td>
                    """ : ""
                let cells = zip(columns, row)
                    .map { column, cell -> HTML in
                        "<td data-label=\"\(column.title)\"\(class: column.isNumber ? "number" : nil)>\(cell)</td>"
                    }
                return "<tr>\(pick)\(cells)</tr>"
            }
        return """
            <div class="scroll"><table><caption class="hidden">\(caption)</caption><thead><tr>\(choose)\(head)</tr></thead>\
            <tbody>\(body)</tbody></table></div>
            """
    }

    /// A list of names and values.
    static func pairs(_ pairs: [(String, HTML)]) -> HTML {
        "<dl class=\"pairs\">\(pairs.map { "<dt>\($0.0)</dt><dd>\($0.1)</dd>" as HTML })</dl>"
    }

    /// A part of a page under a heading.
    static func section(_ title: String, _ body: HTML, aside: HTML = "") -> HTML {
        let beside: HTML = aside.isEmpty ? "" : " <span class=\"aside\">\(aside)</span>"
        return "<section><h2>\(title)\(beside)</h2>\(body)</section>"
    }

    /// What can't be shown, and why.
    static func unreachable(_ what: String, _ reason: String) -> HTML {
        "<p class=\"unreachable\" role=\"status\">\(state(.stuck, what)) \(reason)</p>"
    }

    /// A selection of values for a form.
    static func select(_ name: String, _ label: String, _ options: [(value: String, title: String)], _ chosen: String)
        -> HTML
    {
        let list = options.map { option -> HTML in
            "<option value=\"\(option.value)\"\("selected", if: option.value == chosen)>\(option.title)</option>"
        }
        return "<label>\(label) <select name=\"\(name)\">\(list)</select></label>"
    }

    /// A field for a form.
    static func field(_ name: String, _ label: String, _ value: String?, placeholder: String = "") -> HTML {
        """
        <label>\(label) <input name="\(name)" value="\(value ?? "")" placeholder="\(placeholder)" autocomplete="off"></label>
        """
    }

    /// A form that asks for another view of a page.
    /// - Parameter more: Buttons that lead elsewhere with the same values.
    static func filter(_ action: String, _ fields: [HTML], more: HTML = "") -> HTML {
        """
        <form class="filter" method="get" action="\(action)" role="search">\(fields.joined(separator: " "))\
         <button>Show</button> \(more)</form>
        """
    }
}

extension HTML.StringInterpolation {
    /// A class attribute; nothing without a class.
    mutating func appendInterpolation(class name: String?) {
        if let name { appendInterpolation(" class=\"\(name)\"" as HTML) }
    }
}
