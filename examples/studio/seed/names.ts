/** Where a person may come from: given and family names that belong together. */
export interface Country {
  readonly code: string
  readonly given: readonly string[]
  readonly family: readonly string[]
  /** Default: given name first. */
  readonly familyFirst?: boolean
}

const list = (text: string): readonly string[] => text.split(' ')

/** The countries of the invented users. */
export const countries: readonly Country[] = [
  {
    code: 'SE',
    given: list('Astrid Björn Elin Göran Ingrid Lasse Märta Nils Saga Åke'),
    family: list('Bergström Ekdahl Forsberg Hällgren Lindqvist Nyström Sjögren Åkesson Öberg'),
  },
  {
    code: 'IS',
    given: list('Birna Einar Guðrún Hrafn Katla Ólafur Sólveig Þóra'),
    family: list('Arnardóttir Baldursson Hallsdóttir Jónsson Ragnarsdóttir Sturluson'),
  },
  {
    code: 'PL',
    given: list('Agnieszka Grażyna Łukasz Małgorzata Michał Paweł Świętosław Zofia'),
    family: list('Dąbrowski Gołąb Kołodziej Nowak Sikorska Wójcik Żak'),
  },
  {
    code: 'FR',
    given: list('Aurélie Benoît Chloé Élodie François Gaëlle Noël Zoé'),
    family: list('Bélanger Chauvin Lefèvre Moreau Péron Rivière Tanguy'),
  },
  {
    code: 'BR',
    given: list('Antônio Beatriz Caetana Davi Helena João Luísa Tomás'),
    family: list('Almeida Brandão Conceição Falcão Guimarães Magalhães Vilaça'),
  },
  {
    code: 'VN',
    given: list('Hạnh Hương Khánh Linh Minh Ngọc Thảo Tuấn'),
    family: list('Đặng Đỗ Lê Nguyễn Phạm Trần Vũ'),
    familyFirst: true,
  },
  {
    code: 'JP',
    given: list('さくら 海斗 葵 陽菜 健 真央 遥 蓮'),
    family: list('山田 小林 川口 水野 浜崎 港 船越'),
    familyFirst: true,
  },
  {
    code: 'KR',
    given: list('민준 서연 하은 지호 윤서 도현'),
    family: list('강 김 박 윤 이 정'),
    familyFirst: true,
  },
  {
    code: 'GR',
    given: list('Αλέξανδρος Δέσποινα Ελένη Θάλεια Νίκος Φοίβη'),
    family: list('Αγγελής Καραγιάννη Μαρινάκης Παππά Ψαράς'),
  },
  {
    code: 'EG',
    given: list('أمل حسن سلمى كريم ليلى يوسف'),
    family: list('البحري الشافعي حداد مراد نجيب'),
  },
  {
    code: 'IN',
    given: list('अनन्या अर्जुन इशा कबीर मीरा रोहन'),
    family: list('कुलकर्णी जोशी पटेल मिश्रा शर्मा'),
  },
  {
    code: 'NG',
    given: list('Adébáyọ̀ Chiamaka Fọlákẹ́ Ifeanyi Ngozi Olúwaṣeun Tèmítọ́pẹ́'),
    family: list('Adéyẹmí Eze Nwosu Ògúnléye Okafor Ọlátúnjí'),
  },
  {
    code: 'GB',
    given: list('Agnes Callum Edith Fergus Imogen Owain Rhys Una Wilfred'),
    family: list('Ashdown Carrick Fairweather Llewellyn Marlowe Penhaligon Thackray O’Shea'),
  },
  {
    code: 'CA',
    given: list('Amélie Desmond Kateri Louis-Philippe Margot Siobhan Tobias'),
    family: list('Beaulieu Fraser Gagnon MacInnes Sauvé Whitford'),
  },
]
